/** The content of files in zones: hashes of what is there, where data is, and writing what the other side has. */
import { hash } from 'node:crypto'
import { E, FALLOC, addressOf, fallocate, pread, pwrite } from '../libc.js'
import type { BytePath } from '../resync-port.js'
import { dataBytesIn, must, nextData, nextHole } from './tree.js'

export const HASH_BYTES = 32
/** What a zone holds, told in so many bytes: bytes of data (u32), hash of the content (zero when all is hole). */
export const PRINT_BYTES = 4 + HASH_BYTES
const PUNCH = FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE
const ZEROS = Buffer.alloc(64 * 1024)

/** One side's view of a zone. */
export interface Print {
  /** Bytes that are data and not holes. */
  readonly dataBytes: number
  readonly hash: Buffer
}

/** Has the target, which has `there`, what the source has? Zeros that take room there and none here are a difference too. */
export function isSame(here: Print, there: Print): boolean {
  if (there.dataBytes > here.dataBytes) return false
  return here.dataBytes === 0 || (there.dataBytes > 0 && here.hash.equals(there.hash))
}

const NO_DATA = Buffer.alloc(HASH_BYTES)

/** Computes prints with one buffer of a zone. */
export class Printer {
  readonly #buffer: Buffer
  readonly #address: number

  constructor(readonly zoneBytes: number) {
    this.#buffer = Buffer.alloc(zoneBytes)
    this.#address = addressOf(this.#buffer)
  }

  /** The zone of a file whose size is `size`. Holes count as zeros in the hash. */
  print(fd: number, zone: number, size: number, path: BytePath): Print {
    const from = zone * this.zoneBytes
    const to = Math.min(from + this.zoneBytes, size)
    const dataBytes = to <= from ? 0 : dataBytesIn(fd, from, to)
    if (dataBytes === 0) return { dataBytes: 0, hash: NO_DATA }
    const read = must(pread(fd, this.#address, to - from, from), 'read', path)
    return { dataBytes, hash: hash('sha256', this.#buffer.subarray(0, read), 'buffer') }
  }
}

/** A part of a file in order: data to be sent, or a hole. */
export interface Extent {
  readonly hole: boolean
  readonly offset: number
  readonly length: number
}

/** The extents of [from, to), data cut into pieces of at most `pieceBytes`. */
export function* extentsOf(
  fd: number,
  from: number,
  to: number,
  pieceBytes: number,
): Generator<Extent> {
  let at = from
  while (at < to) {
    const data = nextData(fd, at, to)
    if (data > at) yield { hole: true, offset: at, length: data - at }
    const end = nextHole(fd, data, to)
    for (at = data; at < end; at += pieceBytes) {
      yield { hole: false, offset: at, length: Math.min(pieceBytes, end - at) }
    }
    at = end
  }
}

/** A zone that must be looked at, or a stretch that is hole throughout. */
export type Span = { readonly zone: number } | Extent

/** Walks a whole file: zones that contain data, and holes between them (in whole zones, or up to the end). */
export function* spansOf(fd: number, size: number, zoneBytes: number): Generator<Span> {
  let at = 0
  while (at < size) {
    const data = nextData(fd, at, size)
    const begin = data >= size ? size : data - (data % zoneBytes)
    if (begin > at) yield { hole: true, offset: at, length: begin - at }
    if (begin < size) yield { zone: begin / zoneBytes }
    at = begin + zoneBytes
  }
}

/** Writes all bytes, or throws. */
export function writeFully(fd: number, bytes: Buffer, offset: number, path: BytePath): void {
  let done = 0
  while (done < bytes.length) {
    const written = pwrite(fd, bytes.subarray(done), bytes.length - done, offset + done)
    if (written === -E.INTR) continue
    // A write that takes nothing and gives no reason would go on for ever.
    must(written === 0 ? -E.IO : written, 'write', path)
    done += written
  }
}

/** Makes a range read as zeros, without blocks where the file system can. Does nothing where it is a hole already. */
export function punch(fd: number, offset: number, length: number, path: BytePath): void {
  if (nextData(fd, offset, offset + length) >= offset + length) return
  const result = fallocate(fd, PUNCH, offset, length)
  if (result !== -E.OPNOTSUPP) {
    must(result, 'punch a hole into', path)
    return
  }
  for (let at = 0; at < length; at += ZEROS.length) {
    const size = Math.min(ZEROS.length, length - at)
    writeFully(fd, ZEROS.subarray(0, size), offset + at, path)
  }
}
