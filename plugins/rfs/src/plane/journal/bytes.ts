/** Binary fields: a growing writer and a reader that refuses to read past the end. Shared by the journal and the copy. */
import type { BytePath } from '../resync-port.js'

/** Bytes that are not what they must be: from a torn file or a hostile peer. */
export class MalformedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MalformedError'
  }
}

/** Numbers are exact below 2^53; the top bytes of a varuint beyond that are refused. */
const VARUINT_BYTES_MAX = 8

export class Writer {
  #bytes: Buffer
  #length = 0

  constructor(capacity = 4096) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    this.#room(1)
    this.#bytes[this.#length++] = value
    return this
  }

  u32(value: number): this {
    this.#room(4)
    this.#length = this.#bytes.writeUInt32LE(value, this.#length)
    return this
  }

  /** Seven bits a byte, least first. */
  uint(value: number): this {
    this.#room(VARUINT_BYTES_MAX)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
    return this
  }

  /** Sign first: seconds before 1970. */
  int(value: number): this {
    return this.u8(value < 0 ? 1 : 0).uint(Math.abs(value))
  }

  /** A byte string with its length. */
  text(value: BytePath): this {
    this.uint(value.length)
    this.#room(value.length)
    this.#length += this.#bytes.write(value, this.#length, 'latin1')
    return this
  }

  raw(value: Uint8Array): this {
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** Room for `size` bytes that the caller fills; it must be filled before the writer is used again. */
  space(size: number): Buffer {
    this.#room(size)
    this.#length += size
    return this.#bytes.subarray(this.#length - size, this.#length)
  }

  /** Takes back the last bytes. */
  shrink(size: number): void {
    this.#length -= size
  }

  /** A view of what was written; valid until the next change. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + size))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

export class Reader {
  #at = 0
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  uint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < VARUINT_BYTES_MAX; count += 1) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 0x80
    }
    throw new MalformedError('a number is larger than 2^53')
  }

  int(): number {
    const sign = this.u8()
    if (sign > 1) throw new MalformedError(`a sign is ${sign}`)
    return sign === 1 ? -this.uint() : this.uint()
  }

  text(lengthMax: number): BytePath {
    const length = this.uint()
    if (length > lengthMax) {
      throw new MalformedError(`a text has ${length} bytes, ${lengthMax} allowed`)
    }
    const at = this.#take(length)
    return this.#bytes.toString('latin1', at, at + length)
  }

  raw(size: number): Buffer {
    const at = this.#take(size)
    return this.#bytes.subarray(at, at + size)
  }

  rest(): Buffer {
    return this.raw(this.left)
  }

  end(): void {
    if (this.left !== 0) throw new MalformedError(`${this.left} bytes too many`)
  }

  #take(size: number): number {
    if (size > this.left) throw new MalformedError(`${size} bytes wanted, ${this.left} left`)
    const at = this.#at
    this.#at += size
    return at
  }
}
