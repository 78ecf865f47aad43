/**
 * One connection of the copy: messages packed into records, sent without blocking, with a bounded queue and a limit on
 * silence. Both workers live in `pump`: it is the only place where they wait.
 */
import {
  E,
  POLL,
  SOCKET,
  addressOf,
  close,
  errnoName,
  poll,
  read,
  recv,
  send,
  shutdown,
} from '../libc.js'
import { MalformedError, Reader, Writer } from '../journal/bytes.js'
import type { Records } from './records.js'
import type { BytePath } from '../resync-port.js'
import { MESSAGE, REASON_BYTES_MAX } from './messages.js'

const PULSE = Uint8Array.of(MESSAGE.pulse)

/** The connection can't go on: the peer closed it, is silent, or sent what is no message. */
export class ChannelError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ChannelError'
  }
}

/** Messages are gathered up to this size before they become a record. */
const RECORD_BYTES = 256 * 1024
const RECEIVE_BYTES = 512 * 1024
const MSG_DONTWAIT = 0x40
const SHUT_WRITE = 1
/** How long a reason may take to leave: the peer may be gone as well. */
const FAREWELL_MS = 2_000
/**
 * The link of the ops notices a dead peer within its time-out and stops the copy. A side that is only slow, because its
 * disk is busy with the copy, must not lose all that was done.
 */
const PATIENCE_MS_MIN = 60_000
/** While a side waits for its own disks (BUSY) its silence may last so long; the link of the ops watches it meanwhile. */
const BUSY_MS_MAX = 10 * 60_000

export interface ChannelOptions {
  readonly socket: number
  readonly records: Records
  /** Something is sent five times in it. */
  readonly timeoutMs: number
  /** Called now and then by work that takes long; throws ChannelError when the copy was ordered to stop. */
  readonly interrupt: () => void
  /** An eventfd that ends a wait: an order has come. */
  readonly wake: number
}

export class Channel {
  readonly #options: ChannelOptions
  readonly #message = new Writer(RECORD_BYTES * 2)
  #out: Buffer[] = []
  #outBytes = 0
  /** All that was made so far, sent or not. */
  madeBytes = 0
  readonly #received = Buffer.allocUnsafe(RECEIVE_BYTES)
  readonly #receivedAddress = addressOf(this.#received)
  readonly #polled = Buffer.alloc(16)
  readonly #woken = Buffer.alloc(8)
  readonly #patienceMs: number
  #heardMs = performance.now()
  #sentMs = performance.now()
  #peerBusy = false
  /** Why nothing can be sent any more. */
  #broken: string | undefined
  #steps = 0

  constructor(options: ChannelOptions) {
    this.#options = options
    this.#patienceMs = Math.max(options.timeoutMs, PATIENCE_MS_MIN)
  }

  /** Bytes that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#outBytes + this.#message.length
  }

  /** Begins a message; the caller writes its fields into the writer that is returned. */
  begin(kind: number): Writer {
    if (this.#message.length >= RECORD_BYTES) this.#seal()
    return this.#message.u8(kind)
  }

  /** The message that was begun last, to append to it. */
  more(): Writer {
    return this.#message
  }

  /** Hands everything that was begun to the kernel, as far as it takes it now. */
  flush(): void {
    this.#seal()
    this.#send()
  }

  #send(): void {
    while (this.#out.length > 0) {
      const [first] = this.#out
      if (first === undefined) return
      const flags = MSG_DONTWAIT | SOCKET.NOSIGNAL
      const sent = send(this.#options.socket, first, first.length, flags)
      if (sent === -E.AGAIN || sent === -E.INTR) return
      if (sent < 0) {
        this.#cannotSend(`sending failed: ${errnoName(sent)}`)
        return
      }
      this.#outBytes -= sent
      this.#sentMs = performance.now()
      if (sent === first.length) this.#out.shift()
      else this.#out[0] = first.subarray(sent)
    }
  }

  /**
   * Sends and receives; waits up to `waitMs` for the socket to be ready or an order to come. Every complete record goes
   * to `receive` as a reader over its messages.
   */
  pump(waitMs: number, receive: (messages: Reader) => void): void {
    this.#pulse()
    this.flush()
    if (this.#broken !== undefined) this.#readLastWords(this.#broken, receive)
    const ready = this.#poll(Math.min(waitMs, this.#options.timeoutMs / 5))
    if ((ready & (POLL.IN | POLL.HUP | POLL.ERR)) !== 0) this.#receive(receive)
    if ((ready & POLL.OUT) !== 0) this.flush()
    this.#checkSilence()
  }

  /** Sends all that is queued; waits for the kernel to take it, up to the time-out. */
  drain(): void {
    this.#drainFor(this.#patienceMs)
  }

  #drainFor(patienceMs: number): void {
    const until = performance.now() + patienceMs
    while (this.queuedBytes > 0) {
      this.flush()
      if (this.queuedBytes === 0) return
      if (performance.now() > until) throw new ChannelError('the peer does not read')
      this.#poll(this.#options.timeoutMs / 5)
    }
  }

  /** Tells the peer that nothing will be heard for a while. */
  announceBusy(): void {
    this.begin(MESSAGE.busy)
    this.drain()
  }

  /** Called now and then by work that takes long between two calls of `pump`. */
  keepAlive(): void {
    this.#steps += 1
    if (this.#steps % 256 !== 0) return
    this.#options.interrupt()
    // What was begun may be incomplete, so only what is sealed is sent; without anything, a record that says nothing.
    if (this.#out.length === 0 && this.#isQuiet()) {
      this.#push(PULSE)
      this.#sentMs = performance.now()
    }
    this.#send()
  }

  /** Tells the peer why this side gives up. What was not sealed, perhaps half of a message, is dropped. */
  fail(reason: BytePath): void {
    this.#message.clear()
    this.begin(MESSAGE.failed).text(reason.slice(0, REASON_BYTES_MAX))
    this.#drainFor(FAREWELL_MS)
    shutdown(this.#options.socket, SHUT_WRITE)
    // Closed with bytes that nobody read, the connection would be reset, and the reason lost on its way.
    const until = performance.now() + FAREWELL_MS
    while (performance.now() < until && !this.#isClosedByPeer()) this.#poll(FAREWELL_MS / 10)
  }

  /** Throws away what the peer still sends. */
  #isClosedByPeer(): boolean {
    const { socket } = this.#options
    for (;;) {
      const size = recv(socket, this.#receivedAddress, RECEIVE_BYTES, MSG_DONTWAIT)
      if (size === -E.AGAIN || size === -E.INTR) return false
      if (size <= 0) return true
    }
  }

  heardBusy(): void {
    this.#peerBusy = true
  }

  close(): void {
    close(this.#options.socket)
  }

  #seal(): void {
    if (this.#message.length === 0) return
    this.#push(this.#message.view())
    this.#message.clear()
  }

  #push(payload: Uint8Array): void {
    const sealed = this.#options.records.seal(payload)
    this.#out.push(sealed)
    this.#outBytes += sealed.length
    this.madeBytes += sealed.length
  }

  /** The peer may have said why it does not read any more: that is read first. */
  #cannotSend(reason: string): void {
    this.#broken ??= reason
    this.#out = []
    this.#outBytes = 0
  }

  #readLastWords(reason: string, receive: (messages: Reader) => void): never {
    // Ends: a peer that was gone before has sent a bounded number of bytes.
    while ((this.#poll(0) & POLL.IN) !== 0) this.#receive(receive)
    throw new ChannelError(reason)
  }

  #isQuiet(): boolean {
    return performance.now() - this.#sentMs >= this.#options.timeoutMs / 5
  }

  #pulse(): void {
    if (this.#isQuiet()) {
      this.begin(MESSAGE.pulse)
      this.#sentMs = performance.now()
    }
  }

  #poll(waitMs: number): number {
    const out = this.#out.length > 0 ? POLL.OUT : 0
    this.#polled.writeInt32LE(this.#options.socket, 0)
    this.#polled.writeInt16LE(POLL.IN | out, 4)
    this.#polled.writeInt32LE(this.#options.wake, 8)
    this.#polled.writeInt16LE(POLL.IN, 12)
    const count = poll(this.#polled, 2, Math.max(0, Math.ceil(waitMs)))
    if (count <= 0) return 0
    if (this.#polled.readInt16LE(14) !== 0) read(this.#options.wake, this.#woken, 8)
    return this.#polled.readInt16LE(6)
  }

  #receive(receive: (messages: Reader) => void): void {
    const { socket, records } = this.#options
    const size = recv(socket, this.#receivedAddress, RECEIVE_BYTES, MSG_DONTWAIT)
    if (size === -E.AGAIN || size === -E.INTR) return
    if (size < 0) throw new ChannelError(`the connection was lost: ${errnoName(size)}`)
    if (size === 0) throw new ChannelError('the peer closed the connection')
    this.#heardMs = performance.now()
    this.#peerBusy = false
    try {
      records.feed(this.#received.subarray(0, size))
      for (let next = records.next(); next !== undefined; next = records.next()) {
        receive(new Reader(next))
      }
    } catch (thrown) {
      if (thrown instanceof MalformedError) {
        throw new ChannelError(`the peer sent a malformed message: ${thrown.message}`)
      }
      throw thrown
    }
  }

  #checkSilence(): void {
    const silentMs = performance.now() - this.#heardMs
    const allowedMs = this.#peerBusy ? BUSY_MS_MAX : this.#patienceMs
    if (silentMs > allowedMs) {
      throw new ChannelError(`the peer was silent for ${Math.round(silentMs)} ms`)
    }
  }
}
