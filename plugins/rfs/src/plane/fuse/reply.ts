/** Builds answers to the kernel in one buffer that is reused: nothing is allocated by an answer. */
import { E, addressOf, write } from '../libc.js'
import type { StatBuffer } from '../stat.js'
import { MAX_WRITE, NOTIFY, SIZE, VALID_SECONDS } from './abi.js'
import type { Request } from './request.js'

const BYTES = MAX_WRITE + 4096

export class Reply {
  readonly bytes = Buffer.alloc(BYTES)
  readonly view = new DataView(this.bytes.buffer, this.bytes.byteOffset, BYTES)
  readonly address = addressOf(this.bytes)
  /** Of the answer that was built last, header included. */
  length = 0

  /** Where the body starts. */
  get body(): number {
    return this.address + SIZE.OUT_HEADER
  }

  /** The header; the body of `size` bytes was written before, or follows. `error`: 0 or -errno. */
  head(request: Request, size: number, error = 0): void {
    this.#head(request.uniqueLow, request.uniqueHigh, size, error)
  }

  /** An answer without a body to a request that was taken apart before. */
  errorTo(uniqueLow: number, uniqueHigh: number, error: number): void {
    this.#head(uniqueLow, uniqueHigh, 0, error)
  }

  #head(uniqueLow: number, uniqueHigh: number, size: number, error: number): void {
    const { view } = this
    this.length = SIZE.OUT_HEADER + size
    view.setUint32(0, this.length, true)
    view.setInt32(4, error, true)
    view.setUint32(8, uniqueLow, true)
    view.setUint32(12, uniqueHigh, true)
  }

  error(request: Request, error: number): void {
    // It is this process that has too many open, not the program that asks.
    this.head(request, 0, error === -E.MFILE ? -E.NFILE : error)
  }

  attributes(request: Request, stat: StatBuffer): void {
    this.#u64(SIZE.OUT_HEADER, VALID_SECONDS)
    this.#u64(SIZE.OUT_HEADER + 8, 0)
    this.attr(SIZE.OUT_HEADER + 16, stat)
    this.head(request, SIZE.ATTR_OUT)
  }

  entry(request: Request, stat: StatBuffer, id: number): void {
    this.entryAt(SIZE.OUT_HEADER, stat, id)
    this.head(request, SIZE.ENTRY_OUT)
  }

  /** "There is no such name": the kernel remembers that too, until the name is made through it. */
  negative(request: Request): void {
    this.view.setBigUint64(SIZE.OUT_HEADER, 0n, true)
    this.#u64(SIZE.OUT_HEADER + 8, 0)
    this.#u64(SIZE.OUT_HEADER + 16, VALID_SECONDS)
    this.bytes.fill(0, SIZE.OUT_HEADER + 24, SIZE.OUT_HEADER + SIZE.ENTRY_OUT)
    this.head(request, SIZE.ENTRY_OUT)
  }

  entryAt(at: number, stat: StatBuffer, id: number): void {
    this.#u64(at, id)
    this.#u64(at + 8, 0)
    this.#u64(at + 16, VALID_SECONDS)
    this.#u64(at + 24, VALID_SECONDS)
    this.#u64(at + 32, 0)
    this.attr(at + 40, stat)
  }

  attr(at: number, stat: StatBuffer): void {
    const { view } = this
    this.#u64(at, stat.inode)
    this.#u64(at + 8, stat.size)
    this.#u64(at + 16, stat.blocks)
    this.#i64(at + 24, stat.atimeSeconds)
    this.#i64(at + 32, stat.mtimeSeconds)
    this.#i64(at + 40, stat.ctimeSeconds)
    view.setUint32(at + 48, stat.atimeNanos, true)
    view.setUint32(at + 52, stat.mtimeNanos, true)
    view.setUint32(at + 56, stat.ctimeNanos, true)
    view.setUint32(at + 60, stat.mode, true)
    view.setUint32(at + 64, stat.links, true)
    view.setUint32(at + 68, stat.uid, true)
    view.setUint32(at + 72, stat.gid, true)
    view.setUint32(at + 76, stat.rdev, true)
    view.setUint32(at + 80, 4096, true)
    view.setUint32(at + 84, 0, true)
  }

  /** No answer, but a message: what the kernel knows of the attributes of this node is not so any more. Its content is. */
  attributesChanged(id: number): void {
    this.#u64(SIZE.OUT_HEADER, id)
    this.view.setBigInt64(SIZE.OUT_HEADER + 8, -1n, true)
    this.view.setBigInt64(SIZE.OUT_HEADER + 16, 0n, true)
    this.#head(0, 0, SIZE.CHANGED_OUT, NOTIFY.CHANGED)
  }

  /** Hands the answer to the kernel. A request that was given up meanwhile (ENOENT) needs no answer. */
  send(fuse: number): number {
    return write(fuse, this.address, this.length)
  }

  #u64(at: number, value: number): void {
    this.view.setUint32(at, value % 0x1_0000_0000, true)
    this.view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
  }

  #i64(at: number, value: number): void {
    this.view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true)
    this.view.setUint32(at, value - Math.floor(value / 0x1_0000_0000) * 0x1_0000_0000, true)
  }
}
