/** Reads the fields of one op, in place. Whatever the peer says is checked: lengths, names, numbers. */
import { isName } from '../journal/path.js'
import { HEAD, type Attributes } from '../link/ops.js'
import type { InBuffer } from '../link/records.js'

/** The peer sent what no server sends. Ends the connection, nothing else. */
export class MalformedRecord extends Error {}

export class OpReader {
  kind = 0
  volume = 0
  flags = 0
  number = 0
  node = 0
  #bytes: Buffer = Buffer.alloc(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #at = 0
  #end = 0

  start(input: InBuffer): void {
    if (input.length < HEAD) throw new MalformedRecord('it is too short')
    this.#bytes = input.bytes
    this.#view = input.view
    this.#end = input.at + input.length
    this.#at = input.at
    this.kind = this.u8()
    this.volume = this.u8()
    this.flags = this.u16()
    this.number = this.u32()
    this.node = this.u64()
  }

  get rest(): number {
    return this.#end - this.#at
  }

  /** Where the rest starts in the buffer. */
  get position(): number {
    return this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  u64(): number {
    const at = this.#take(8)
    const high = this.#view.getUint32(at + 4, true)
    if (high >= 0x20_0000) throw new MalformedRecord('a number is out of range')
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true)
  }

  /** Whole seconds, also before 1970. */
  seconds(): number {
    const value = this.#view.getFloat64(this.#take(8), true)
    if (!Number.isSafeInteger(value)) throw new MalformedRecord('a time is out of range')
    return value
  }

  text(): string {
    const length = this.u16()
    const at = this.#take(length)
    const text = this.#bytes.toString('latin1', at, at + length)
    if (text.includes('\0')) throw new MalformedRecord('a text holds a NUL')
    return text
  }

  /** One name in a directory: nothing that leads out of it. */
  name(): string {
    const name = this.text()
    if (!isName(name)) throw new MalformedRecord('a name is not allowed')
    return name
  }

  /** The body of an ATTRIBUTES op. */
  attributes(into: Attributes): Attributes {
    into.valid = this.flags
    into.mode = this.number
    into.uid = this.u32()
    into.gid = this.u32()
    into.size = this.u64()
    into.atimeSeconds = this.seconds()
    into.atimeNanos = this.u32()
    this.u32()
    into.mtimeSeconds = this.seconds()
    into.mtimeNanos = this.u32()
    this.u32()
    return into
  }

  #take(size: number): number {
    const at = this.#at
    if (at + size > this.#end) throw new MalformedRecord('it ends too early')
    this.#at = at + size
    return at
  }
}
