/** Figures of the resynchronisation as lines of JSON and as a table. Pure. */
import { rounded } from '../statistics.js'

/** How an application's writes went meanwhile. */
export interface Writes {
  readonly writes: number
  readonly p50us: number
  readonly p99us: number
  readonly maxUs: number
}

export interface ResyncRow {
  readonly scenario: string
  /** From the order to start the secondary until it is ready; of a plain copy: what it took. */
  readonly seconds: number
  /** Of the copy alone, as the product measures it. */
  readonly copySeconds: number | undefined
  /** What decided how much is looked at: keys, all, full. */
  readonly scope: string | undefined
  /** Files and bytes of the tree that had to become equal. */
  readonly files: number
  readonly bytes: number
  readonly contentBytes: number | undefined
  readonly wireBytes: number | undefined
  /** The most memory that the data plane of each node had. */
  readonly sourceMemoryBytes: number | undefined
  readonly targetMemoryBytes: number | undefined
  readonly writes: Writes | undefined
}

const megabyte = 1_000_000

export function resyncLine(row: ResyncRow): string {
  const { seconds, files, bytes, writes, ...others } = row
  return JSON.stringify({
    ...others,
    ...{ files, bytes, seconds: rounded(seconds) },
    filesPerSecond: rounded(files / seconds),
    megabytesPerSecond: rounded(bytes / megabyte / seconds),
    ...(writes === undefined
      ? {}
      : {
          writes: writes.writes,
          p50us: rounded(writes.p50us),
          p99us: rounded(writes.p99us),
          maxUs: rounded(writes.maxUs),
        }),
  })
}

export function resyncTable(rows: readonly ResyncRow[]): string {
  const head = [
    ...['scenario', 'scope', 's', 'copy s', 'files/s', 'MB/s', 'content MB', 'wire MB'],
    ...['source MB', 'target MB', 'p50 us', 'p99 us'],
  ]
  const shown = (value: number | undefined): string =>
    value === undefined ? '-' : String(rounded(value))
  const megabytes = (value: number | undefined): string =>
    shown(value === undefined ? undefined : value / megabyte)
  const cells = rows.map((row) => [
    ...[row.scenario, row.scope ?? '-', shown(row.seconds), shown(row.copySeconds)],
    ...[shown(row.files / row.seconds), megabytes(row.bytes / row.seconds)],
    ...[row.contentBytes, row.wireBytes, row.sourceMemoryBytes, row.targetMemoryBytes].map(
      megabytes,
    ),
    ...[shown(row.writes?.p50us), shown(row.writes?.p99us)],
  ])
  const lines = [head, head.map(() => '---'), ...cells]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}
