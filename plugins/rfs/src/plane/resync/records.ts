/** Records of the copy's connection, sealed and opened like those of the ops (see link/records.ts). */
import { MalformedError } from '../journal/bytes.js'
import { Opener, Sealer } from '../link/records.js'
import type { ChannelKeys } from '../resync-port.js'

/** No record is larger: messages are gathered up to 256 KiB, and one message carries at most as much again, or attributes. */
export const RECORD_BYTES_MAX = 2 * 1024 * 1024
const LENGTH_BYTES = 4
const FIRST_BYTES = 1024 * 1024

export class Records {
  readonly #sealer: Sealer
  readonly #opener: Opener
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #from = 0
  #to = 0

  constructor(keys: ChannelKeys) {
    this.#sealer = new Sealer(keys.send)
    this.#opener = new Opener(keys.receive)
  }

  /** One record with this payload, ready to be sent. The payload may be overwritten afterwards. */
  seal(payload: Uint8Array): Buffer {
    if (payload.length > RECORD_BYTES_MAX) throw new MalformedError('a record is too large to send')
    const record = Buffer.allocUnsafe(LENGTH_BYTES + payload.length + this.#sealer.trailer)
    record.set(payload, LENGTH_BYTES)
    this.#sealer.seal(record, 0, payload.length)
    return record
  }

  /** Takes received bytes. */
  feed(bytes: Uint8Array): void {
    if (this.#to + bytes.length > this.#buffer.length) this.#makeRoom(bytes.length)
    this.#buffer.set(bytes, this.#to)
    this.#to += bytes.length
  }

  /** The payload of the next complete record; valid until the next `feed`. */
  next(): Buffer | undefined {
    const available = this.#to - this.#from
    if (available < LENGTH_BYTES) return undefined
    const length = this.#buffer.readUInt32LE(this.#from)
    if (length === 0 || length > RECORD_BYTES_MAX) {
      throw new MalformedError(`a record of ${length} bytes`)
    }
    const whole = LENGTH_BYTES + length + this.#opener.trailer
    if (available < whole) return undefined
    const start = this.#from + LENGTH_BYTES
    if (!this.#opener.open(this.#buffer, start, length)) {
      throw new MalformedError('a record that was forged or damaged')
    }
    this.#from += whole
    return this.#buffer.subarray(start, start + length)
  }

  #makeRoom(size: number): void {
    const kept = this.#to - this.#from
    const fits = kept + size <= this.#buffer.length
    const target = fits ? this.#buffer : Buffer.allocUnsafe((kept + size) * 2)
    this.#buffer.copy(target, 0, this.#from, this.#to)
    this.#buffer = target
    this.#from = 0
    this.#to = kept
  }
}
