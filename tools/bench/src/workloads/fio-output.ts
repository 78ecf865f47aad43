/** Reads what fio prints with --output-format=json. Pure. */
import { LabError } from '@holdfast/lab'

export interface Direction {
  readonly iops: number
  readonly bytesPerSecond: number
  readonly operations: number
  readonly p50us: number
  readonly p99us: number
}

export interface FioResult {
  readonly direction: Direction
  /** The fsync calls; NaN when there was none. */
  readonly sync: { readonly p50us: number; readonly p99us: number }
}

/** One group of jobs; throws a LabError when fio saw an error, did nothing, or printed something else. */
export function parseFio(output: string, direction: 'read' | 'write'): FioResult {
  // Warnings come before the object when a terminal is missing.
  const report: unknown = JSON.parse(output.slice(Math.max(output.indexOf('{'), 0)))
  const job = at(report, ['jobs', '0'])
  if (number(job, ['error']) !== 0) {
    throw new LabError(`fio met error ${number(job, ['error'])} while it worked`)
  }
  const operations = number(job, [direction, 'total_ios'])
  if (!(operations > 0)) throw new LabError(`fio did not ${direction} anything`)
  return {
    direction: {
      iops: number(job, [direction, 'iops']),
      bytesPerSecond: number(job, [direction, 'bw_bytes']),
      operations,
      ...percentiles(job, [direction, 'clat_ns']),
    },
    sync: percentiles(job, ['sync', 'lat_ns']),
  }
}

function percentiles(job: unknown, path: readonly string[]): { p50us: number; p99us: number } {
  const ofPercent = (percent: string) =>
    number(job, [...path, 'percentile', `${percent}.000000`]) / 1_000
  return { p50us: ofPercent('50'), p99us: ofPercent('99') }
}

function at(value: unknown, path: readonly string[]): unknown {
  let here = value
  for (const name of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.entries(here).find(([key]) => key === name)?.[1]
  }
  return here
}

/** NaN when there is no number. */
function number(value: unknown, path: readonly string[]): number {
  const found = at(value, path)
  return typeof found === 'number' ? found : NaN
}
