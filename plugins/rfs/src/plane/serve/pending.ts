/**
 * Answers that wait for the follower, in the order of the ops: op n is answered when the follower has applied n.
 * A ring of fixed slots; nothing is allocated.
 */
import { assert } from '@holdfast/sdk'
import { SIZE } from '../fuse/abi.js'
import { addressOf, write } from '../libc.js'

/** Ops that may wait at once. Past that the loop stops reading requests. */
export const PENDING_MAX = 4096
/** Bytes of data that may wait at once. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024
const SLOT_BYTES = 192
/** Ops that one request may cause: a file that is sent whole, with all its attributes. */
const RESERVED = 256

export class Pending {
  readonly #answers = Buffer.alloc(PENDING_MAX * SLOT_BYTES)
  readonly #address = addressOf(this.#answers)
  readonly #lengths = new Uint16Array(PENDING_MAX)
  readonly #fuses = new Int32Array(PENDING_MAX)
  readonly #weights = new Uint32Array(PENDING_MAX)
  readonly #since = new Float64Array(PENDING_MAX)
  /** Number of the last op that was sent, and of the last that was acknowledged. */
  #sent = 0
  #acknowledged = 0
  #bytes = 0

  get count(): number {
    return this.#sent - this.#acknowledged
  }

  get bytes(): number {
    return this.#bytes
  }

  /** No request should be read now. A request may cause several ops: some room is kept for them. */
  get full(): boolean {
    return this.count > PENDING_MAX - RESERVED || this.#bytes > PENDING_BYTES_MAX
  }

  /** When the oldest op that is not acknowledged was sent; undefined: there is none. */
  get oldestSince(): number | undefined {
    return this.count === 0 ? undefined : this.#since[(this.#acknowledged + 1) % PENDING_MAX]
  }

  /** An op was sent and this answer (copied) waits for it. `length` 0: nobody waits. */
  hold(fuse: number, answer: Buffer, length: number, weight: number, now: number): void {
    assert(this.count < PENDING_MAX, 'there is a free slot for every op')
    assert(length <= SLOT_BYTES, 'an answer fits into its slot')
    this.#sent++
    const slot = this.#sent % PENDING_MAX
    if (length > 0) answer.copy(this.#answers, slot * SLOT_BYTES, 0, length)
    this.#lengths[slot] = length
    this.#fuses[slot] = fuse
    this.#weights[slot] = weight
    this.#since[slot] = now
    this.#bytes += weight
  }

  /** The follower has applied everything up to op `number`. False: it can't have. */
  acknowledge(number: number): boolean {
    if (number < this.#acknowledged || number > this.#sent) return false
    while (this.#acknowledged < number) this.#answerNext()
    return true
  }

  /** Answers everything that waits (going on alone, or the trees were made equal in another way). */
  release(): void {
    while (this.#acknowledged < this.#sent) this.#answerNext()
  }

  /** Answers everything that waits with an error: what became of it is not known. */
  fail(error: number): void {
    while (this.#acknowledged < this.#sent) {
      const slot = (this.#acknowledged + 1) % PENDING_MAX
      if ((this.#lengths[slot] ?? 0) > 0) {
        this.#answers.writeUInt32LE(SIZE.OUT_HEADER, slot * SLOT_BYTES)
        this.#answers.writeInt32LE(error, slot * SLOT_BYTES + 4)
        this.#lengths[slot] = SIZE.OUT_HEADER
      }
      this.#answerNext()
    }
  }

  /** A new session numbers its ops from 1. */
  restart(): void {
    assert(this.count === 0, 'a session starts when nothing waits')
    this.#sent = 0
    this.#acknowledged = 0
  }

  #answerNext(): void {
    const slot = ++this.#acknowledged % PENDING_MAX
    this.#bytes -= this.#weights[slot] ?? 0
    const length = this.#lengths[slot] ?? 0
    // An answer that the kernel does not want any more (the connection was aborted) concerns nobody.
    if (length > 0) write(this.#fuses[slot] ?? -1, this.#address + slot * SLOT_BYTES, length)
  }
}
