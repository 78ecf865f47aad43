/** The judgement on a run: what was lost, and who ran at the same time. Pure: evidence in, numbers out. */
import type { Acknowledged } from './acknowledged.js'

/** What one copy of the data holds: id → sequence number (0 when the application gives none). */
export type Entries = ReadonlyMap<string, number>

/**
 * Acknowledged entries that are missing in any of the copies, or have another number there than the client was told.
 */
export function lostEntries(
  acknowledged: readonly Acknowledged[],
  copies: readonly Entries[],
): readonly string[] {
  const isLost = (entry: Acknowledged): boolean =>
    copies.some((copy) => {
      const sequence = copy.get(entry.id)
      return sequence === undefined || (entry.sequence ?? sequence) !== sequence
    })
  return acknowledged.filter(isLost).map((entry) => entry.id)
}

/** One run of the application on one node: from its first to its last sign of life. */
export interface Runner {
  readonly node: string
  readonly boot: string
  readonly firstNs: bigint
  readonly lastNs: bigint
}

/** Lines `NANOSECONDS WHAT PID BOOT` of a node's evidence; a torn last line is ignored. */
export function runnersOf(node: string, evidence: string): readonly Runner[] {
  const runners = new Map<string, Runner>()
  for (const line of evidence.slice(0, evidence.lastIndexOf('\n') + 1).split('\n')) {
    const [time, , , boot] = line.split(' ')
    if (time === undefined || boot === undefined) continue
    const atNs = BigInt(time)
    const known = runners.get(boot)
    runners.set(boot, { node, boot, firstNs: known?.firstNs ?? atNs, lastNs: atNs })
  }
  return [...runners.values()]
}

/**
 * Pairs that ran at the same time. A runner counts from its first to its last sign without a gap: one that stood
 * still and went on was a runner all the while.
 */
export function duplicatedRunners(
  runners: readonly Runner[],
): readonly (readonly [Runner, Runner])[] {
  return runners.flatMap((one, index) =>
    runners
      .slice(index + 1)
      .filter((other) => one.firstNs <= other.lastNs && other.firstNs <= one.lastNs)
      .map((other) => [one, other] as const),
  )
}
