/** From what happened in each round to the figures at the end. Pure. */
import { isolatePrimary, type KindName, kindNames, kindOf, silencePrimary } from './kinds.js'

/** A fault that really happened; one that hit a node that was off already is none. */
export interface Happened {
  readonly kind: KindName
  /** On the machine's monotonic clock. */
  readonly atMs: number
}

export interface RoundResult {
  readonly number: number
  readonly happened: readonly Happened[]
  readonly tookMs: number
  /** From the end of the healing until the pair was whole again; undefined: it was not, within the bound. */
  readonly wholeMs?: number | undefined
  /** Runs of the application that began in this round on the node that was not the primary at its start. */
  readonly moved: number
  /** Why that node began to serve, in its own words; empty: it did not. */
  readonly cause: string
  /** Nodes that were reset by their watchdogs. */
  readonly resets: number
  /** From the fault to the first answer of the other node; undefined: the application did not move there, or not only the primary was hit. */
  readonly takeoverMs?: number | undefined
  /** Ids of acknowledged entries that are not there any more. */
  readonly lost: readonly string[]
  /** Pairs of runs at the same time that were not known before this round. */
  readonly doubleRuns: readonly string[]
  readonly trouble: string
}

export interface FalseFailover {
  readonly round: number
  readonly kinds: readonly KindName[]
  readonly cause: string
}

export interface Report {
  readonly faults: number
  readonly rounds: number
  readonly tookMs: number
  readonly lost: number
  readonly doubleRuns: number
  readonly falseFailovers: readonly FalseFailover[]
  readonly unhealed: number
  readonly resets: number
  /** How many take-overs were timed. */
  readonly takeovers: number
  readonly takeoverMs: Spread
  readonly perKind: readonly (readonly [KindName, number])[]
  readonly replicasDiffer: boolean
}

/** All 0 when nothing was measured. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly p99: number
}

export function reportOf(results: readonly RoundResult[], replicasDiffer: boolean): Report {
  const happened = results.flatMap((result) => result.happened)
  const takeovers = results.flatMap((result) => result.takeoverMs ?? [])
  return {
    faults: happened.length,
    rounds: results.length,
    tookMs: sum(results, ({ tookMs }) => tookMs),
    lost: new Set(results.flatMap((result) => result.lost)).size,
    doubleRuns: sum(results, (result) => result.doubleRuns.length),
    falseFailovers: results.filter(isFalseFailover).map(({ number, happened: faults, cause }) => ({
      round: number,
      kinds: faults.map(({ kind }) => kind),
      cause,
    })),
    unhealed: results.filter((result) => result.wholeMs === undefined).length,
    resets: sum(results, ({ resets }) => resets),
    takeovers: takeovers.length,
    takeoverMs: spreadOf(takeovers),
    perKind: kindNames().map((name) => [
      name,
      happened.filter((fault) => fault.kind === name).length,
    ]),
    replicasDiffer,
  }
}

/** The application moved although nothing happened that makes a primary look lost, and nobody asked for it. */
export function isFalseFailover({ happened, moved, resets }: RoundResult): boolean {
  const names = happened.map(({ kind }) => kind)
  const mayMove =
    names.some((name) => kindOf(name).failover !== 'never' || isReset(name, resets)) ||
    silencePrimary(names) ||
    isolatePrimary(names)
  return moved > 0 && !mayMove
}

/** A node that stood still for too long. One whose daemon was only killed is none: it must be back in time. */
function isReset(name: KindName, resets: number): boolean {
  return resets > 0 && kindOf(name).standsStill === true
}

export function isViolation(result: RoundResult): boolean {
  return result.lost.length > 0 || result.doubleRuns.length > 0 || result.wholeMs === undefined
}

/** The instant from which a take-over counts: only where nobody but the primary was hit, and no operator asked for a change. */
export function takeoverSince(happened: readonly Happened[], resets: number): number | undefined {
  const isOther = ({ kind }: Happened): boolean =>
    kindOf(kind).victim !== 'primary' || kindOf(kind).failover === 'planned'
  if (happened.some(isOther)) return undefined
  return happened.find(({ kind }) => kindOf(kind).failover === 'may' || isReset(kind, resets))?.atMs
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number): number => {
    const index = Math.max(0, Math.ceil(share * sorted.length) - 1)
    return Math.round(sorted[index] ?? 0)
  }
  return { min: at(0), median: at(0.5), p99: at(0.99) }
}

/** Both promises held, and the pair always helped itself. False failovers are counted, not judged. */
export function held(report: Report): boolean {
  const broken = report.lost + report.doubleRuns + report.unhealed
  return broken === 0 && !report.replicasDiffer && report.faults > 0
}

function sum(results: readonly RoundResult[], of: (result: RoundResult) => number): number {
  return results.reduce((total, result) => total + of(result), 0)
}
