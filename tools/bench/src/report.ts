/** The figures as lines of JSON and as a table for people. Pure. */
import type { BenchOptions } from './options.js'
import type { Row, SideFigures } from './rounds.js'
import { rounded } from './statistics.js'

export interface Failure {
  readonly workload: string
  readonly error: string
}

/** What the figures were measured on. `roundTripUs`: 64 bytes over TCP to the other node and back, just before the workload. */
export interface Stand extends Pick<BenchOptions, 'disks' | 'nodes'> {
  readonly roundTripUs: number
}

/** One line. `native`, `holdfast` and `glusterfs` are in `unit`, p50us and p99us are those of Holdfast. */
export function jsonLine(row: Row, { roundTripUs, disks, nodes }: Stand): string {
  const native = row.sides.get('native')
  const holdfast = row.sides.get('holdfast')
  const glusterfs = row.sides.get('glusterfs')
  return JSON.stringify({
    workload: row.workload,
    unit: row.unit,
    native: figure(native?.value),
    holdfast: figure(holdfast?.value),
    ratio: ratioOf(holdfast, native),
    p50us: figure(holdfast?.p50us),
    p99us: figure(holdfast?.p99us),
    glusterfs: figure(glusterfs?.value),
    rounds: row.rounds,
    cpuUsPerOperation: figure(holdfast?.cpuUsPerOperation),
    holdfastRange: range(holdfast),
    nativeP50us: figure(native?.p50us),
    nativeP99us: figure(native?.p99us),
    nativeRange: range(native),
    glusterfsP50us: figure(glusterfs?.p50us),
    glusterfsP99us: figure(glusterfs?.p99us),
    glusterfsCpuUsPerOperation: figure(glusterfs?.cpuUsPerOperation),
    timesGlusterfs: ratioOf(holdfast, glusterfs),
    roundTripUs: figure(roundTripUs),
    disks,
    nodes: Number(nodes),
  })
}

/** All rows, the columns aligned; GlusterFS has columns only when it was measured. */
export function table(rows: readonly Row[]): string {
  const withPeer = rows.some(({ sides }) => sides.has('glusterfs'))
  const head = ['workload', 'unit', 'native', 'holdfast', 'ratio', 'p50 us', 'p99 us', 'CPU us/op']
  const lines = rows.map((row) => {
    const native = row.sides.get('native')
    const holdfast = row.sides.get('holdfast')
    const peer = row.sides.get('glusterfs')
    const own = [holdfast?.p50us, holdfast?.p99us, holdfast?.cpuUsPerOperation]
    return [
      ...[row.title, row.unit, shown(native?.value), shown(holdfast?.value)],
      ...[shown(ratioOf(holdfast, native)), ...own.map(shown)],
      ...(withPeer ? [shown(peer?.value), shown(ratioOf(holdfast, peer))] : []),
    ]
  })
  const cells = [[...head, ...(withPeer ? ['glusterfs', 'times'] : [])], ...lines]
  const widths = head.concat(withPeer ? ['', ''] : []).map((_, column) => {
    return Math.max(...cells.map((line) => line[column]?.length ?? 0))
  })
  return cells
    .map((line) =>
      line.map((cell, column) => aligned(cell, column, widths[column] ?? 0)).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Words to the left, figures to the right. */
function aligned(cell: string, column: number, width: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width)
}

function shown(value: number | null | undefined): string {
  const known = figure(value)
  return known === null ? '-' : String(known)
}

function figure(value: number | null | undefined): number | null {
  return value == null || Number.isNaN(value) ? null : rounded(value)
}

function ratioOf(one: SideFigures | undefined, other: SideFigures | undefined): number | null {
  return one === undefined || other === undefined ? null : figure(one.value / other.value)
}

function range(figures: SideFigures | undefined): readonly (number | null)[] | null {
  return figures === undefined ? null : [figure(figures.least), figure(figures.most)]
}
