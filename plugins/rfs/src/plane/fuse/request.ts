/** One request of the kernel, read in place: fields by offset, names by address. Reused for every request. */
import { addressOf } from '../libc.js'
import { REQUEST_BYTES, SIZE } from './abi.js'

export class Request {
  readonly view: DataView
  readonly address: number
  length = 0
  opcode = 0
  /** The request's own number is 64 bits; both halves are only given back. */
  uniqueLow = 0
  uniqueHigh = 0
  node = 0
  uid = 0
  gid = 0
  /** Of the caller, as this process sees it; 0: it can't be seen from here. */
  pid = 0

  /** `bytes`: where the kernel writes it, of REQUEST_BYTES. */
  constructor(readonly bytes: Buffer = Buffer.alloc(REQUEST_BYTES)) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, REQUEST_BYTES)
    this.address = addressOf(bytes)
  }

  /** Takes the header apart. False: what was read is not a request. */
  parse(length: number): boolean {
    this.length = length
    const { view } = this
    if (length < SIZE.IN_HEADER || view.getUint32(0, true) !== length) return false
    this.opcode = view.getUint32(4, true)
    this.uniqueLow = view.getUint32(8, true)
    this.uniqueHigh = view.getUint32(12, true)
    this.node = this.u64(16 - SIZE.IN_HEADER)
    this.uid = view.getUint32(24, true)
    this.gid = view.getUint32(28, true)
    this.pid = view.getUint32(32, true)
    return true
  }

  /** A data plane that died had read it, and nobody knows how far it came. The kernel marks these in bit 63 of their number. */
  get isResent(): boolean {
    return this.uniqueHigh >= 0x8000_0000
  }

  /** Offsets are counted from the end of the header. */
  u32(at: number): number {
    return this.view.getUint32(SIZE.IN_HEADER + at, true)
  }

  /** Exact below 2^53: sizes, offsets and node ids. */
  u64(at: number): number {
    const { view } = this
    const low = view.getUint32(SIZE.IN_HEADER + at, true)
    return view.getUint32(SIZE.IN_HEADER + at + 4, true) * 0x1_0000_0000 + low
  }

  /** Seconds may be before 1970. */
  i64(at: number): number {
    const { view } = this
    const low = view.getUint32(SIZE.IN_HEADER + at, true)
    return view.getInt32(SIZE.IN_HEADER + at + 4, true) * 0x1_0000_0000 + low
  }

  big(at: number): bigint {
    return this.view.getBigInt64(SIZE.IN_HEADER + at, true)
  }

  addressAt(at: number): number {
    return this.address + SIZE.IN_HEADER + at
  }

  /** The NUL-terminated bytes at an offset, as a byte string. */
  text(at: number): string {
    const start = SIZE.IN_HEADER + at
    const end = this.bytes.indexOf(0, start)
    return this.bytes.toString('latin1', start, end < 0 ? this.length : end)
  }
}
