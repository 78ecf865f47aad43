/** What is shown of a history that failed: everything that is needed to see it again. */
import { execFileSync } from 'node:child_process'
import { type Outcome, runHistory } from './history.js'

const linesShown = 40

export function reportOf(outcome: Outcome): string {
  const { trace } = runHistory({ seed: outcome.seed, lines: outcome.lines, traced: true })
  return [
    `seed ${outcome.seed} (${outcome.profile}): ${failureOf(outcome)}`,
    `commit ${commit()}`,
    ...trace.slice(-linesShown),
    `again: npm run sim -- --seed ${outcome.seed}`,
  ].join('\n')
}

export function failureOf({ violation, unhealed }: Outcome): string {
  if (violation !== undefined) return violation
  return unhealed === undefined ? 'no failure' : `not healed: ${unhealed}`
}

export function commit(): string {
  try {
    const text = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' })
    return text.trim()
  } catch {
    // Unpacked from an archive: there is no history to name.
    return 'unknown'
  }
}
