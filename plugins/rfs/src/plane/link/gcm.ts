/**
 * AES-256-GCM in place, by the OpenSSL that Node itself contains, called on addresses. Node's own cipher objects make a
 * context, a key schedule and an output buffer for every record: three times the time of the cipher for 4 KiB, and
 * garbage of the size of everything that is sent. Here a direction of a connection has one context for all its records.
 */
import { assert } from '@holdfast/sdk'
import { addressOf, ofNode } from '../libc.js'

export const TAG_BYTES = 16
const NONCE_BYTES = 12
const GET_TAG = 0x10
const SET_TAG = 0x11
const SEAL = 1
const OPEN = 0

const newContext = ofNode<[]>('uintptr_t EVP_CIPHER_CTX_new()')
const freeContext = ofNode<[context: number]>('void EVP_CIPHER_CTX_free(uintptr_t context)')
const aes256gcm = ofNode<[]>('uintptr_t EVP_aes_256_gcm()')
/** 0 as cipher and key: those that the context has. `sealing`: 1 or 0. */
const init = ofNode<
  [context: number, cipher: number, engine: number, key: number, nonce: number, sealing: number]
>(
  'int EVP_CipherInit_ex(uintptr_t context, uintptr_t cipher, void *engine, void *key, void *nonce, int sealing)',
)
/** 0 as output: what comes in is associated data. */
const update = ofNode<
  [context: number, out: number, outSize: number, from: number, fromSize: number]
>('int EVP_CipherUpdate(uintptr_t context, void *out, void *outSize, void *from, int fromSize)')
const final = ofNode<[context: number, out: number, outSize: number]>(
  'int EVP_CipherFinal_ex(uintptr_t context, void *out, void *outSize)',
)
const control = ofNode<[context: number, type: number, size: number, bytes: number]>(
  'int EVP_CIPHER_CTX_ctrl(uintptr_t context, int type, int size, void *bytes)',
)

/** Contexts belong to no JavaScript memory; freeing one also wipes its key. */
const contexts = new FinalizationRegistry<number>((context) => freeContext(context))

/** One direction of a connection: seals or opens records, each with the next number as its nonce. */
class Direction {
  protected readonly context: number
  /** Nonce, and where OpenSSL says how much it wrote. Never moved: it has memory of its own. */
  readonly #scratch = Buffer.allocUnsafeSlow(NONCE_BYTES + 4).fill(0)
  readonly #view = new DataView(this.#scratch.buffer, this.#scratch.byteOffset)
  readonly #nonce = addressOf(this.#scratch)
  protected readonly written = this.#nonce + NONCE_BYTES
  #number = 0

  constructor(key: Uint8Array, sealing: typeof SEAL | typeof OPEN) {
    assert(key.length === 32, 'a key of AES-256 has 32 bytes')
    const bytes = Buffer.allocUnsafeSlow(32)
    bytes.set(key)
    this.context = newContext()
    assert(this.context !== 0, 'there is memory for a cipher')
    const done = init(this.context, aes256gcm(), 0, addressOf(bytes), 0, sealing)
    bytes.fill(0)
    assert(done === 1, 'the cipher takes its key')
    contexts.register(this, this.context)
  }

  /** The next record begins. */
  protected next(sealing: typeof SEAL | typeof OPEN): number {
    this.#view.setUint32(0, this.#number % 0x1_0000_0000, true)
    this.#view.setUint32(4, Math.floor(this.#number / 0x1_0000_0000), true)
    this.#number++
    return init(this.context, 0, 0, 0, this.#nonce, sealing)
  }
}

export class GcmSealer extends Direction {
  constructor(key: Uint8Array) {
    super(key, SEAL)
  }

  /**
   * Seals `size` bytes at `at` and writes the tag behind them. `aad`: four bytes that are protected as well. They lie there
   * already, but for the last `tailSize`, which are taken from `tail`: so those are not copied before they are sealed.
   */
  seal(at: number, size: number, aad: number, tail = 0, tailSize = 0): void {
    const { context, written } = this
    const headSize = size - tailSize
    const begun = this.next(SEAL) & update(context, 0, written, aad, 4)
    let sealed = update(context, at, written, at, headSize)
    if (tailSize > 0) sealed &= update(context, at + headSize, written, tail, tailSize)
    sealed &= final(context, at + size, written)
    const tagged = control(context, GET_TAG, TAG_BYTES, at + size)
    assert((begun & sealed & tagged) === 1, 'a record can be sealed')
  }
}

export class GcmOpener extends Direction {
  constructor(key: Uint8Array) {
    super(key, OPEN)
  }

  /** Opens `size` bytes in place; the tag follows them. False: forged or damaged. */
  open(at: number, size: number, aad: number): boolean {
    const { context, written } = this
    const begun = this.next(OPEN) & control(context, SET_TAG, TAG_BYTES, at + size)
    const opened = update(context, 0, written, aad, 4) & update(context, at, written, at, size)
    assert((begun & opened) === 1, 'a record can be deciphered')
    return final(context, at + size, written) === 1
  }
}
