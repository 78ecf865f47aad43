/** Reads the Test Anything Protocol as ava writes it. Pure: lines in, counts and what is shown of them out. */

export interface TapCount {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const nothingCounted: TapCount = { passed: 0, failed: 0, skipped: 0 }

/** What one line adds. Lines of explanations, plans and comments add nothing. */
export function countLine(count: TapCount, line: string): TapCount {
  const point = /^(not )?ok \d+(?: .*?)?(# (?:SKIP|TODO)\b.*)?$/i.exec(line)
  if (point === null) return count
  if (point[2] !== undefined) return { ...count, skipped: count.skipped + 1 }
  if (point[1] !== undefined) return { ...count, failed: count.failed + 1 }
  return { ...count, passed: count.passed + 1 }
}

/** The line of a test: how it ended, with its number, and its title. */
export function point(line: string): { verdict: string; title: string } | undefined {
  const [, verdict, title] = /^((?:not )?ok \d+)(?: - )?(.*)$/.exec(line) ?? []
  return verdict === undefined || title === undefined ? undefined : { verdict, title }
}

/**
 * The judgement on one group of tests. A runner that failed without a failed test (it crashed, it was killed), and a
 * group in which no test ran at all, count as a failure: silence is not success.
 */
export function concluded(count: TapCount, exitCode: number | undefined): TapCount {
  const ran = count.passed + count.failed + count.skipped
  const unexplained = count.failed === 0 && (exitCode !== 0 || ran === 0)
  return unexplained ? { ...count, failed: 1 } : count
}

export function sum(counts: readonly TapCount[]): TapCount {
  return counts.reduce(
    (total, count) => ({
      passed: total.passed + count.passed,
      failed: total.failed + count.failed,
      skipped: total.skipped + count.skipped,
    }),
    nothingCounted,
  )
}

/** A line for each of the files that lasted longest, after a line that sums all up. */
export function slowest(files: ReadonlyMap<string, number>, shown: number): readonly string[] {
  const seconds = (ms: number): string => (ms / 1000).toFixed(1).padStart(7)
  const all = [...files].sort(([, one], [, other]) => other - one)
  const whole = all.reduce((total, [, ms]) => total + ms, 0)
  return [
    `# ${seconds(whole)} s in ${String(all.length)} files, of which the slowest:`,
    ...all.slice(0, shown).map(([file, ms]) => `# ${seconds(ms)} s ${file}`),
  ]
}

/** The last line of `npm test`. */
export function summary(count: TapCount): string {
  const skipped = count.skipped === 0 ? '' : `, ${count.skipped} skipped`
  return `${count.passed} passed, ${count.failed} failed${skipped}`
}
