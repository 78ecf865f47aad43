/** What a campaign says: a line a round, the report for a terminal of 100 columns, the last line of JSON. Pure. */
import type { KindName } from './kinds.js'
import {
  type FalseFailover,
  held,
  isFalseFailover,
  type Report,
  type RoundResult,
} from './report.js'

const columns = 3
/** So many are shown; the rest is only counted. */
const falseFailoversMax = 20

export function lineOf(result: RoundResult): string {
  const faults = result.happened.map(({ kind }) => kind).join(' + ') || 'nothing left to break'
  const facts = [
    result.wholeMs === undefined
      ? `NOT WHOLE: ${result.trouble}`
      : `whole after ${seconds(result.wholeMs)}`,
    ...(result.resets === 0 ? [] : ['reset by watchdog']),
    ...(result.takeoverMs === undefined ? [] : [`take-over ${seconds(result.takeoverMs)}`]),
    ...(isFalseFailover(result) ? [`FALSE FAILOVER (${result.cause})`] : []),
    ...(result.lost.length === 0 ? [] : [`LOST: ${result.lost.slice(0, 10).join(' ')}`]),
    ...(result.doubleRuns.length === 0 ? [] : [`RAN TWICE: ${result.doubleRuns.join('; ')}`]),
  ]
  return `#${String(result.number)} ${faults}: ${facts.join(', ')}`
}

export function reportText(report: Report, seed: number): string {
  const { min, median, p99 } = report.takeoverMs
  const took = `${String(report.rounds)} rounds, ${minutes(report.tookMs)}`
  const facts: readonly (readonly [string, string])[] = [
    ['faults', `${String(report.faults)} in ${took}`],
    ['acknowledged, lost', String(report.lost)],
    ['ran twice', String(report.doubleRuns)],
    ['not whole in time', String(report.unhealed)],
    ['replicas identical', report.replicasDiffer ? 'NO' : 'yes'],
    ['watchdog resets', String(report.resets)],
    [
      'take-overs timed',
      report.takeovers === 0
        ? '0'
        : `${String(report.takeovers)}: ${seconds(min)} at least, ${seconds(median)} median, ${seconds(p99)} 99th percentile`,
    ],
    ['false failovers', String(report.falseFailovers.length)],
    ...report.falseFailovers.slice(0, falseFailoversMax).map(toldOf),
    ['seed', String(seed)],
  ]
  return [
    '',
    ...tableOf(report.perKind),
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(20)}${value}`),
    '',
    held(report) ? 'Held fast.' : 'FAILED.',
  ].join('\n')
}

/** The last line with `--json`. */
export function jsonLine(report: Report, seed: number): string {
  const { faults, lost, doubleRuns, takeoverMs } = report
  const falseFailovers = report.falseFailovers.length
  return JSON.stringify({ faults, lost, doubleRuns, falseFailovers, takeoverMs, seed })
}

function toldOf({ round, kinds, cause }: FalseFailover): readonly [string, string] {
  return [`  round ${String(round)}`, cut(`${kinds.join(' + ')}: ${cause}`, 76)]
}

/** Downwards first, as in a book. */
function tableOf(perKind: readonly (readonly [KindName, number])[]): readonly string[] {
  const cells = perKind
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${String(count).padStart(6)} ${kind.padEnd(24)}`)
  const height = Math.ceil(cells.length / columns)
  return Array.from({ length: height }, (_, line) =>
    Array.from({ length: columns }, (_, column) => cells[column * height + line] ?? '')
      .join(' ')
      .trimEnd(),
  )
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function minutes(ms: number): string {
  return `${(ms / 60_000).toFixed(1)} minutes`
}
