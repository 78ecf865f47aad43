/** Reads what the data plane reports about a verification, keeps it as a state, and says it to people. Pure. */
import type { Difference, DifferenceKind, VerifyReport } from '../driver/protocol.js'
import { objectOf } from '../driver/object.js'
import { megabytes } from '../megabytes.js'

/** The last verification of this node, as it is kept. */
export interface Verified extends VerifyReport {
  readonly format: 1
  readonly startedMs: number
  readonly endedMs: number
  readonly by: 'operator' | 'schedule'
  readonly repair: boolean
  /** As the operator wrote it; undefined: everything. */
  readonly path: string | undefined
}

const outcomes: readonly VerifyReport['outcome'][] = ['equal', 'different', 'interrupted']
const linesMax = 200

/** Undefined: not the report of a version that this one understands. */
export function reportOf(value: unknown): VerifyReport | undefined {
  const fields = objectOf(value)
  const outcome = outcomes.find((one) => one === fields?.['outcome'])
  if (fields === undefined || outcome === undefined) return undefined
  const number = (name: string): number => {
    const found = fields[name]
    return typeof found === 'number' ? found : 0
  }
  const { cause, listed } = fields
  return {
    outcome,
    cause: typeof cause === 'string' ? cause : undefined,
    ms: number('ms'),
    names: number('names'),
    bytes: number('bytes'),
    skipped: number('skipped'),
    differences: number('differences'),
    repaired: number('repaired'),
    zoneBytes: number('zoneBytes'),
    listed: Array.isArray(listed) ? listed.flatMap((one: unknown) => differenceOf(one) ?? []) : [],
  }
}

/** What is in the store; undefined: nothing that this version understands. */
export function verifiedOf(value: unknown): Verified | undefined {
  const fields = objectOf(value)
  const report = reportOf(value)
  if (fields?.['format'] !== 1 || report === undefined) return undefined
  const { startedMs, endedMs, by, repair, path } = fields
  return {
    ...report,
    format: 1,
    startedMs: typeof startedMs === 'number' ? startedMs : 0,
    endedMs: typeof endedMs === 'number' ? endedMs : 0,
    by: by === 'schedule' ? 'schedule' : 'operator',
    repair: repair === true,
    path: typeof path === 'string' ? path : undefined,
  }
}

/** One sentence, for the log and the first line of the command. */
export function sentenceOf(report: VerifyReport): string {
  const { outcome, cause = '', names, bytes, ms, differences, repaired, skipped } = report
  const looked = `${names} names, ${megabytes(bytes)} MB, in ${seconds(ms)}`
  const left = differences - repaired
  const not = skipped === 0 ? '' : `; ${skipped} names could not be looked at`
  switch (outcome) {
    case 'equal':
      return repaired === 0
        ? `both nodes have the same: ${looked}${not}`
        : `${repaired} differences were repaired, both nodes have the same now: ${looked}${not}`
    case 'different': {
      const mended = repaired === 0 ? '' : `, ${repaired} more were repaired`
      return `the nodes differ in ${left} places${mended}: ${looked}${not}`
    }
    case 'interrupted':
      return `the verification was interrupted (${cause}) after ${looked}: the rest is not known`
  }
}

export function linesOf(verified: Verified): readonly string[] {
  const { listed, differences, endedMs, by, path } = verified
  const what = path === undefined ? '' : ` of ${path}`
  const when = `${new Date(endedMs).toISOString()}  by ${by}`
  const head = [sentenceOf(verified), `verification${what}: ${when}`]
  const shown = listed.slice(0, linesMax).map((one) => lineOf(one, verified.zoneBytes))
  const more = differences - shown.length
  return [...head, ...shown, ...(more > 0 ? [`… and ${more} more`] : [])]
}

/** `/srv/data/a/b: content of zone 3 (bytes 786432 to 1048575), repaired`. */
function lineOf({ directory, path, what, zone, repaired }: Difference, zoneBytes: number): string {
  const where = path === '.' ? directory : `${directory}/${path}`
  const from = (zone ?? 0) * zoneBytes
  const range =
    zone === undefined ? '' : ` of zone ${zone} (bytes ${from} to ${from + zoneBytes - 1})`
  return `${where}: ${what.join(', ')}${range}${repaired ? ', repaired' : ''}`
}

const kinds: readonly DifferenceKind[] = [
  ...(['missing', 'extra', 'type', 'mode', 'owner', 'time', 'size'] as const),
  ...(['attributes', 'target', 'device', 'content', 'links', 'unreadable'] as const),
]

function differenceOf(value: unknown): Difference | undefined {
  const fields = objectOf(value)
  const [directory, path, zone, what] = ['directory', 'path', 'zone', 'what'].map(
    (name) => fields?.[name],
  )
  if (typeof directory !== 'string' || typeof path !== 'string' || !Array.isArray(what)) {
    return undefined
  }
  return {
    directory,
    path,
    what: kinds.filter((kind) => what.includes(kind)),
    ...(typeof zone === 'number' ? { zone } : {}),
    repaired: fields?.['repaired'] === true,
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
