/** What the next resynchronisation would look at, from the keys of a journal: pure sums and words. */
import { objectOf } from '../driver/object.js'
import { megabytes } from '../megabytes.js'

export interface Estimate {
  /** Why keys are not enough: everything will be compared. Undefined: they are. */
  readonly everything: string | undefined
  /** Names whose content is compared as a whole, and those beneath them that are directories. */
  readonly files: number
  readonly bytes: number
  /** Zones of files of which only these may differ. */
  readonly zones: number
  readonly zoneBytes: number
  /** Names of which only attributes may differ. */
  readonly attributes: number
  /** There are more names than were looked at. */
  readonly more: boolean
  /** Of these: what others changed while the module was stopped, by its times. Undefined: nobody could. */
  readonly foreign?: {
    readonly names: number
    /** False: there was not enough time to look at every name. */
    readonly all: boolean
  }
}

/** What one node's processor does in a second when nothing else is in the way (docs/RFS.md): for the time only. */
const FILES_PER_SECOND = 3_000
const BYTES_PER_SECOND = 100_000_000

export interface Summary extends Estimate {
  /** At most: what is equal on both sides is compared and not sent. */
  readonly bytesMost: number
  readonly seconds: number | undefined
}

export function summaryOf(estimate: Estimate, bytesPerSecondMost: number | undefined): Summary {
  const { everything, files, bytes, zones, zoneBytes, attributes } = estimate
  const bytesMost = bytes + zones * zoneBytes
  const rate = Math.min(BYTES_PER_SECOND, bytesPerSecondMost ?? Infinity)
  const names = files + attributes + Math.min(zones, 1)
  const seconds = Math.ceil(names / FILES_PER_SECOND + bytesMost / rate)
  return { ...estimate, bytesMost, seconds: everything === undefined ? seconds : undefined }
}

export function linesOf(summary: Summary): readonly string[] {
  const { everything, files, bytes, zones, zoneBytes, attributes, more, bytesMost, seconds } =
    summary
  const { foreign } = summary
  if (everything !== undefined) {
    return [
      `both trees will be compared as a whole: ${everything}`,
      'only what differs is sent then; how much that is, only the comparison can tell',
    ]
  }
  const least = more ? 'more than ' : ''
  return [
    `at most ${megabytes(bytesMost)} MB to compare, about ${String(seconds)} s: by the journal of this node`,
    `${least}${files} files as a whole (${megabytes(bytes)} MB), ${zones} zones of ${zoneBytes} bytes, attributes of ${attributes} names`,
    ...(foreign === undefined ? [] : [foreignLine(foreign)]),
    'what the other node had in its journal, or was changed on it while it was stopped, is added when it joins',
  ]
}

function foreignLine({ names, all }: NonNullable<Estimate['foreign']>): string {
  const rest = all ? '' : '; there was no time to look at all names, there may be more'
  return `of these ${names} names were changed on this node while the module was stopped${rest}`
}

/** What the program of this package printed; undefined: it is none of it. */
export function estimateOf(value: unknown): Estimate | undefined {
  const fields = objectOf(value)
  if (fields === undefined) return undefined
  const number = (name: string): number => {
    const found = fields[name]
    return typeof found === 'number' ? found : 0
  }
  const { everything } = fields
  return {
    everything: typeof everything === 'string' ? everything : undefined,
    files: number('files'),
    bytes: number('bytes'),
    zones: number('zones'),
    zoneBytes: number('zoneBytes'),
    attributes: number('attributes'),
    more: fields['more'] === true,
    ...foreignOf(fields['foreign']),
  }
}

function foreignOf(value: unknown): Pick<Estimate, 'foreign'> {
  const foreign = objectOf(value)
  const names = foreign?.['names']
  return typeof names === 'number' ? { foreign: { names, all: foreign?.['all'] === true } } : {}
}
