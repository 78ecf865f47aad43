/** What a verification has found so far, and how it is told. Bounded, however much differs. */
import type { Difference, DifferenceKind, VerifyReport } from '../../driver/protocol.js'
import { printable } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import type { Volume } from '../volume.js'

/** More differences than these are counted, not listed: the report is one line of the control socket. */
const LISTED_MAX = 1_000
const LISTED_BYTES_MAX = 256 * 1024

export interface Finding {
  readonly what: readonly DifferenceKind[]
  /** Of the file: the one whose content differs. */
  readonly zone?: number
  readonly repaired: boolean
}

export class Findings {
  names = 0
  bytes = 0
  /** Names whose path is too long for a question, or whose attributes are. */
  skipped = 0
  #differences = 0
  #repaired = 0
  #listedBytes = 0
  readonly #listed: Difference[] = []

  constructor(readonly zoneBytes: number) {}

  add({ directory }: Volume, path: BytePath, { what, zone, repaired }: Finding): void {
    this.#differences++
    if (repaired) this.#repaired++
    const shown = printable(path)
    this.#listedBytes += shown.length + directory.length
    if (this.#listed.length >= LISTED_MAX || this.#listedBytes > LISTED_BYTES_MAX) return
    this.#listed.push({
      directory,
      path: shown,
      what,
      ...(zone === undefined ? {} : { zone }),
      repaired,
    })
  }

  /** `cause`: why it did not come to its end. */
  report(ms: number, cause: string | undefined): VerifyReport {
    const differences = this.#differences
    const left = differences - this.#repaired
    return {
      outcome: cause !== undefined ? 'interrupted' : left > 0 ? 'different' : 'equal',
      cause,
      ms: Math.round(ms),
      names: this.names,
      bytes: this.bytes,
      skipped: this.skipped,
      differences,
      repaired: this.#repaired,
      zoneBytes: this.zoneBytes,
      listed: this.#listed,
    }
  }
}
