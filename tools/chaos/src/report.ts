/** From what happened in each round to the figures at the end. Pure. */
import { type KindName, kindNames, kindOf } from './kinds.js'

/** A fault that really happened; one that hit a node that was off already is none. */
export interface Happened {
  readonly kind: KindName
  /** On the machine's monotonic clock. */
  readonly atMs: number
}

export interface RoundResult {
  readonly number: number
  readonly happened: readonly Happened[]
  /** From the end of the healing until the pair was whole again; undefined: it was not, within the bound. */
  readonly wholeMs: number | undefined
  /** Runs of the application that began in this round on the node that was not the primary at its start. */
  readonly moved: number
  /** From the fault to the first answer of the other node; undefined: the application did not move there, or not only the primary was hit. */
  readonly takeoverMs: number | undefined
  /** Ids of acknowledged entries that are not there any more. */
  readonly lost: readonly string[]
  /** Pairs of runs at the same time that were not known before this round. */
  readonly doubleRuns: readonly string[]
  readonly trouble: string
}

export interface Report {
  readonly faults: number
  readonly rounds: number
  readonly lost: number
  readonly doubleRuns: number
  readonly falseFailovers: number
  readonly unhealed: number
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
  return {
    faults: happened.length,
    rounds: results.length,
    lost: new Set(results.flatMap((result) => result.lost)).size,
    doubleRuns: results.reduce((sum, result) => sum + result.doubleRuns.length, 0),
    falseFailovers: results.filter(isFalseFailover).length,
    unhealed: results.filter((result) => result.wholeMs === undefined).length,
    takeoverMs: spreadOf(results.flatMap((result) => result.takeoverMs ?? [])),
    perKind: kindNames().map((name) => [
      name,
      happened.filter((fault) => fault.kind === name).length,
    ]),
    replicasDiffer,
  }
}

/** The application moved although nothing happened that makes a primary look lost, and nobody asked for it. */
export function isFalseFailover(result: RoundResult): boolean {
  const mayMove = result.happened.some(({ kind }) => kindOf(kind).failover !== 'never')
  return result.moved > 0 && !mayMove
}

export function isViolation(result: RoundResult): boolean {
  return result.lost.length > 0 || result.doubleRuns.length > 0 || result.wholeMs === undefined
}

/** The instant from which a take-over counts: only where nobody but the primary was hit, and no operator asked for a change. */
export function takeoverSince(happened: readonly Happened[]): number | undefined {
  const all = happened.map(({ kind }) => kindOf(kind))
  if (all.some(({ victim, failover }) => victim !== 'primary' || failover === 'planned'))
    return undefined
  return happened.find(({ kind }) => kindOf(kind).failover === 'may')?.atMs
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number): number => {
    const index = Math.max(0, Math.ceil(share * sorted.length) - 1)
    return Math.round(sorted[index] ?? 0)
  }
  return { min: at(0), median: at(0.5), p99: at(0.99) }
}

/** The last line with `--json`. */
export function jsonLine(report: Report, seed: number): string {
  const { faults, lost, doubleRuns, falseFailovers, takeoverMs } = report
  return JSON.stringify({ faults, lost, doubleRuns, falseFailovers, takeoverMs, seed })
}

/** Both promises held, and the pair always helped itself. False failovers are counted, not judged. */
export function held(report: Report): boolean {
  const broken = report.lost + report.doubleRuns + report.unhealed
  return broken === 0 && !report.replicasDiffer && report.faults > 0
}
