/**
 * What the sweep, the shrinker and the reports need of anything that is simulated: histories by seed, the transitions
 * to be reached, and known-bad variants. Whoever adds a machine to the simulator writes one of these.
 */
import type { Coverage } from './reached.js'

export interface RunOptions {
  readonly seed: number
  /** Name of a profile, instead of the one that the seed chooses. */
  readonly profile?: string | undefined
  /** What happens, instead of what the seed gives. */
  readonly lines?: readonly string[] | undefined
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
  /** Name of a known-bad variant. */
  readonly mutant?: string | undefined
}

export interface Ran {
  readonly seed: number
  readonly profile: string
  readonly lines: readonly string[]
  /** How much happened. */
  readonly events: number
  /** The promise that was broken, if one was. */
  readonly violation: string | undefined
  /** Why it is not well after everything was repaired, if it is not. */
  readonly unhealed: string | undefined
  /** Added up over a sweep. */
  readonly counted: Readonly<Record<string, number>>
  /** The largest of a sweep is kept. */
  readonly longest: Readonly<Record<string, number>>
  /** With `traced`: everything that happened. */
  readonly trace: readonly string[]
}

export interface KnownBad {
  readonly name: string
  /** Completes "a machine that …". */
  readonly mistake: string
}

export interface SimMachine {
  readonly name: string
  /** The sweep of the tests; each known-bad variant is caught within it. */
  readonly standardHistories: number
  readonly profiles: readonly string[]
  /** What a sweep has to reach, sorted. */
  readonly transitions: readonly string[]
  readonly mutants: readonly KnownBad[]
  /** The same options give the same history, byte for byte. */
  run(options: RunOptions): Ran | Promise<Ran>
}

export function hasFailed(ran: Pick<Ran, 'violation' | 'unhealed'>): boolean {
  return ran.violation !== undefined || ran.unhealed !== undefined
}
