/** Runs the fault matrix in rounds: every fault once, then again, so that what was made ill is steady when its turn comes. */
import { LabError, monotonicMs, until } from '@holdfast/lab'
import { median } from '../statistics.js'
import type { CheckerFault } from './fault.js'
import type { Followed, Stand } from './stand.js'

/** A resource that changed more than twice within a minute is waited for longer: that is not what is measured. */
const steadyAfterMs = 61_000

export interface MatrixRow {
  readonly fault: CheckerFault
  readonly rule: string
  readonly action: string
  readonly cause: string
  readonly medianMs: number
  readonly leastMs: number
  readonly mostMs: number
  readonly rounds: number
}

export interface Impossible {
  readonly fault: CheckerFault
  readonly impossible: string
}

export async function runMatrix(
  stand: Stand,
  faults: readonly CheckerFault[],
  rounds: number,
  tell: (line: string) => void,
): Promise<readonly (MatrixRow | Impossible)[]> {
  const followed = new Map<CheckerFault, Followed[]>()
  const impossible = new Map<CheckerFault, string>()
  const lastMs = new Map<CheckerFault, number>()
  for (let round = 1; round <= rounds; round++) {
    for (const fault of faults) {
      const why = impossible.get(fault) ?? (await fault.impossible?.(stand))
      if (why !== undefined) {
        impossible.set(fault, why)
        continue
      }
      await isPast((lastMs.get(fault) ?? -Infinity) + steadyAfterMs)
      const one = await stand.with(fault, (its) => its.suffer(fault))
      mustBe(fault, one)
      lastMs.set(fault, monotonicMs())
      followed.set(fault, [...(followed.get(fault) ?? []), one])
      tell(`round ${String(round)}, ${fault.name}: ${one.action} after ${String(one.tookMs)} ms`)
    }
  }
  return faults.map((fault) => {
    const why = impossible.get(fault)
    return why === undefined ? rowOf(fault, followed.get(fault) ?? []) : { fault, impossible: why }
  })
}

/** Throws when something else followed than what must. */
function mustBe(fault: CheckerFault, { rule, action, cause }: Followed): void {
  const isRight = rule === fault.rule && action === fault.action && fault.cause.test(cause)
  if (isRight) return
  const expected = `${fault.action} by ${fault.rule}, ${String(fault.cause)}`
  throw new LabError(`${fault.name}: expected ${expected}; found ${action} by ${rule}, ${cause}`)
}

async function isPast(endMs: number): Promise<void> {
  await until('a minute is over', () => (monotonicMs() > endMs ? true : undefined), {
    timeoutMs: 2 * steadyAfterMs,
    everyMs: 100,
  })
}

function rowOf(fault: CheckerFault, followed: readonly Followed[]): MatrixRow {
  const times = followed.map(({ tookMs }) => tookMs)
  const [first] = followed
  return {
    fault,
    rule: first?.rule ?? '',
    action: first?.action ?? '',
    cause: first?.cause ?? '',
    medianMs: median(times),
    leastMs: Math.min(...times),
    mostMs: Math.max(...times),
    rounds: times.length,
  }
}
