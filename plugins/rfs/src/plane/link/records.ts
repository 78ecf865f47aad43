/**
 * Records on a connection: `u32 length, payload` in clear, or `u32 length, sealed payload, 16-byte tag` with AES-256-GCM,
 * the record number as nonce and the length as associated data. Two buffers that grow up to a written maximum.
 */
import { assert } from '@holdfast/sdk'
import { E, SOCKET, addressOf, recv, send } from '../libc.js'
import { GcmOpener, GcmSealer, TAG_BYTES } from './gcm.js'

/** The largest payload: a write of 1 MiB, or an extended attribute of 64 KiB, and what is said about it. */
export const PAYLOAD_MAX = 1024 * 1024 + 8192
const LENGTH_BYTES = 4
/** Copying less is quicker than one call more of the cipher. */
const SEALED_APART_FROM = 16 * 1024

/** `size` bytes that lie in `from` at `at`. */
export interface Content {
  readonly from: Buffer
  readonly at: number
  readonly size: number
}

/** Seals payloads in place: the way out. A key is used for one direction of one connection. */
export class Sealer {
  readonly #gcm: GcmSealer | undefined
  /** What a record adds behind its payload. */
  readonly trailer: number

  /** Without a key the records are in clear. */
  constructor(key: Uint8Array | undefined) {
    this.#gcm = key === undefined ? undefined : new GcmSealer(key)
    this.trailer = key === undefined ? 0 : TAG_BYTES
  }

  /**
   * `at`: where the record's length is written; the payload follows it, and room for the trailer. `tail`: the address of the last
   * `tailSize` bytes of the payload, when they are still elsewhere and there is a key.
   */
  seal(
    bytes: Buffer,
    at: number,
    payload: number,
    address = addressOf(bytes),
    tail = 0,
    tailSize = 0,
  ): void {
    bytes.writeUInt32LE(payload, at)
    const start = address + at
    this.#gcm?.seal(start + LENGTH_BYTES, payload, start, tail, tailSize)
  }

  /** The same; the end of the payload is taken from `content`. */
  sealWith(bytes: Buffer, at: number, payload: number, content: Content, address: number): void {
    const { from, size } = content
    if (this.#gcm === undefined || size < SEALED_APART_FROM) {
      from.copy(bytes, at + LENGTH_BYTES + payload - size, content.at, content.at + size)
      this.seal(bytes, at, payload, address)
    } else {
      this.seal(bytes, at, payload, address, addressOf(from) + content.at, size)
    }
  }
}

/** Opens sealed payloads in place: the way in. */
export class Opener {
  readonly #gcm: GcmOpener | undefined
  readonly trailer: number

  constructor(key: Uint8Array | undefined) {
    this.#gcm = key === undefined ? undefined : new GcmOpener(key)
    this.trailer = key === undefined ? 0 : TAG_BYTES
  }

  /** `start`: of the payload, behind its length. False: the record was forged or damaged. */
  open(bytes: Buffer, start: number, payload: number, address = addressOf(bytes)): boolean {
    const at = address + start
    return this.#gcm === undefined || this.#gcm.open(at, payload, at - LENGTH_BYTES)
  }
}

const OUT_BYTES_FIRST = 4 * 1024 * 1024
/** What waits for the follower is bounded by the loop (64 MiB); this is that and all headers. */
const OUT_BYTES_MAX = 160 * 1024 * 1024

/** Records on their way to a socket that may not take them at once. */
export class OutBuffer {
  bytes = Buffer.allocUnsafeSlow(OUT_BYTES_FIRST)
  view = viewOf(this.bytes)
  #address = addressOf(this.bytes)
  #start = 0
  #end = 0
  #record = -1
  #payload = 0

  constructor(readonly sealer: Sealer) {}

  get waiting(): number {
    return this.#end - this.#start
  }

  /** Begins a record of `payload` bytes; returns where in `bytes` the payload goes. End it with `close`. */
  open(payload: number): number {
    assert(payload <= PAYLOAD_MAX, 'a record is not larger than its maximum')
    assert(this.#record < 0, 'the record before was closed')
    this.#reserve(LENGTH_BYTES + payload + this.sealer.trailer)
    this.#record = this.#end
    this.#payload = payload
    return this.#end + LENGTH_BYTES
  }

  close(): void {
    this.sealer.seal(this.bytes, this.#record, this.#payload, this.#address)
    this.#closed()
  }

  /** Ends a record whose payload ends with this content, which the caller has not copied. */
  closeWith(content: Content): void {
    this.sealer.sealWith(this.bytes, this.#record, this.#payload, content, this.#address)
    this.#closed()
  }

  #closed(): void {
    this.#end += LENGTH_BYTES + this.#payload + this.sealer.trailer
    this.#record = -1
  }

  /** Sends as much as the socket takes. Returns 0, or -errno when the connection is broken. */
  flush(fd: number): number {
    while (this.#start < this.#end) {
      const size = this.#end - this.#start
      const sent = send(fd, this.#address + this.#start, size, SOCKET.NOSIGNAL)
      if (sent === -E.AGAIN) return 0
      if (sent === -E.INTR) continue
      if (sent < 0) return sent
      this.#start += sent
    }
    this.#start = 0
    this.#end = 0
    return 0
  }

  #reserve(wanted: number): void {
    if (this.#end + wanted <= this.bytes.length) return
    const waiting = this.waiting
    const needed = waiting + wanted
    assert(needed <= OUT_BYTES_MAX, 'what waits for the peer is bounded')
    let size = this.bytes.length
    while (size < needed) size *= 2
    const into = size === this.bytes.length ? this.bytes : Buffer.allocUnsafeSlow(size)
    this.bytes.copy(into, 0, this.#start, this.#end)
    this.bytes = into
    this.view = viewOf(into)
    this.#address = addressOf(into)
    this.#start = 0
    this.#end = waiting
  }
}

const IN_BYTES = 4 * 1024 * 1024
/** Read at once, so that it is still in the processor's cache when it is opened and written. */
export const FILL_BYTES = 256 * 1024

/** What arrived, record by record. */
export class InBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(IN_BYTES)
  readonly view = viewOf(this.bytes)
  readonly address = addressOf(this.bytes)
  #start = 0
  #end = 0
  /** The record that `next` found. */
  at = 0
  length = 0

  constructor(readonly opener: Opener) {}

  /** Reads what is there. Returns the bytes read; 0: nothing now; -errno: broken (-EPIPE: the peer closed). */
  fill(fd: number): number {
    if (this.#start === this.#end) {
      this.#start = 0
      this.#end = 0
    } else if (this.#start >= FILL_BYTES && (this.#end - this.#start) * 4 <= this.#start) {
      // A little that waits for its rest: the same memory is used again, while the processor's cache has it.
      this.bytes.copyWithin(0, this.#start, this.#end)
      this.#end -= this.#start
      this.#start = 0
    } else if (this.bytes.length - this.#end < PAYLOAD_MAX + LENGTH_BYTES + TAG_BYTES) {
      this.bytes.copyWithin(0, this.#start, this.#end)
      this.#end -= this.#start
      this.#start = 0
    }
    const room = Math.min(this.bytes.length - this.#end, FILL_BYTES)
    // A reader that was told to wait leaves the buffer full: what is there first has to be taken.
    if (room === 0) return 0
    const got = recv(fd, this.address + this.#end, room, 0)
    if (got === -E.AGAIN || got === -E.INTR) return 0
    if (got === 0) return -E.PIPE
    if (got > 0) this.#end += got
    return got
  }

  /** Finds the next whole record: true, and `at` and `length` say where. -1 as `length`: malformed. */
  next(): boolean {
    const have = this.#end - this.#start
    if (have < LENGTH_BYTES) return false
    const payload = this.bytes.readUInt32LE(this.#start)
    if (payload === 0 || payload > PAYLOAD_MAX) return this.#malformed()
    const whole = LENGTH_BYTES + payload + this.opener.trailer
    if (have < whole) return false
    this.at = this.#start + LENGTH_BYTES
    this.length = payload
    if (!this.opener.open(this.bytes, this.at, payload, this.address)) return this.#malformed()
    this.#start += whole
    return true
  }

  #malformed(): true {
    this.length = -1
    return true
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
