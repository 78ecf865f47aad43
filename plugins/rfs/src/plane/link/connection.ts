/**
 * A connection after its handshake: records in and out, keep-alives, and the rule when it is lost. It never throws for
 * what the peer sends: a malformed record ends the connection and nothing else.
 */
import { POLL, SOCKET, close, errnoName, shutdown } from '../libc.js'
import { isBroken, type Loop, type Watch } from '../loop.js'
import type { ChannelKeys } from '../resync-port.js'
import { KIND, OpWriter } from './ops.js'
import { FILL_BYTES, InBuffer, Opener, OutBuffer, Sealer } from './records.js'

/** A keep-alive goes out when nothing did for this part of the time-out, but not less often than the maximum says. */
const PULSES_PER_TIMEOUT = 5
const PULSE_MS_MAX = 250
/**
 * A keep-alive is answered with the own one, so that the other side wakes up once for both. Whoever answered begins the next time,
 * a little earlier than is due: each side has its share of the work.
 */
const ANSWERER_SHARE = 0.95
/** Bounds what one connection may take of a round of the loop. */
const FILLS_AT_ONCE = 16

export interface ConnectionParts {
  /** A whole record. Returns why it is refused, or undefined. */
  readonly onRecord: (input: InBuffer) => string | undefined
  /** Everything that had arrived was handed on. */
  readonly onDrained?: () => void
  /** Once, when it is over (not after `close`). */
  readonly onLost: (cause: string) => void
  /** May records be taken now? Else they stay where they are. */
  readonly mayTake?: () => boolean
}

export class Connection implements Watch {
  wants: number = POLL.IN
  readonly out: OutBuffer
  readonly ops: OpWriter
  readonly #in: InBuffer
  #heard: number
  #said: number
  /** The last thing that was said was the answer to a keep-alive. */
  #answered = false
  #over = false
  readonly #pulseMs: number

  constructor(
    readonly loop: Loop,
    readonly fd: number,
    keys: ChannelKeys,
    readonly timeoutMs: number,
    readonly parts: ConnectionParts,
  ) {
    this.out = new OutBuffer(new Sealer(keys.send))
    this.ops = new OpWriter(this.out)
    this.#in = new InBuffer(new Opener(keys.receive))
    this.#heard = loop.now
    this.#said = loop.now
    this.#pulseMs = Math.min(timeoutMs / PULSES_PER_TIMEOUT, PULSE_MS_MAX)
    loop.add(this)
  }

  get over(): boolean {
    return this.#over
  }

  onReady(events: number): void {
    if ((events & POLL.IN) !== 0) this.receive()
    else if (isBroken(events)) this.#lose('the connection was reset')
    if ((events & POLL.OUT) !== 0) this.flush()
  }

  /** Takes what has arrived, record by record. */
  receive(): void {
    for (let fills = 0; fills < FILLS_AT_ONCE && !this.#over; fills++) {
      const got = this.#in.fill(this.fd)
      if (got > 0) this.#heard = this.loop.now
      this.#take()
      if (got < 0) this.#lose(`the connection ended (${errnoName(got)})`)
      if (got < FILL_BYTES) break
    }
    const { now } = this.loop
    if (this.#heard === now && now - this.#said > this.#pulseMs / 2) this.#pulse(true)
  }

  #take(): void {
    const { mayTake, onRecord, onDrained } = this.parts
    if (mayTake?.() === false) return
    while (this.#in.next()) {
      const refused = this.#in.length < 0 ? 'it can not be opened' : onRecord(this.#in)
      if (this.#over) return
      if (refused !== undefined) {
        this.#lose(`a record was malformed: ${refused}`)
        return
      }
      if (mayTake?.() === false) break
    }
    onDrained?.()
  }

  /** Sends what was written. Cheap when there is nothing. */
  flush(): void {
    if (this.#over) return
    const before = this.out.waiting
    if (before > 0) {
      const failed = this.out.flush(this.fd)
      if (failed < 0) {
        this.#lose(`sending failed (${errnoName(failed)})`)
        return
      }
      if (this.out.waiting < before) {
        this.#said = this.loop.now
        this.#answered = false
      }
    }
    this.wants = this.out.waiting > 0 ? POLL.IN | POLL.OUT : POLL.IN
  }

  /** When `tick` is wanted next. `oldest`: when the oldest thing that the peer owes us was sent. */
  due(oldest: number | undefined): number {
    if (this.#over) return Infinity
    const pulse = this.out.waiting === 0 ? this.#pulseAt : Infinity
    return Math.min(pulse, Math.min(this.#heard, oldest ?? Infinity) + this.timeoutMs)
  }

  tick(oldest: number | undefined): void {
    if (this.#over) return
    const { now } = this.loop
    if (now - this.#heard >= this.timeoutMs) {
      this.#lose(`nothing was heard for ${this.timeoutMs} ms`)
    } else if (oldest !== undefined && now - oldest >= this.timeoutMs) {
      this.#lose(`a change was not acknowledged for ${this.timeoutMs} ms`)
    } else if (now >= this.#pulseAt) {
      this.#pulse(false)
    }
  }

  get #pulseAt(): number {
    return this.#said + this.#pulseMs * (this.#answered ? ANSWERER_SHARE : 1)
  }

  /** What waits already says as much. */
  #pulse(answers: boolean): void {
    if (this.#over || this.out.waiting > 0) return
    this.ops.plain(KIND.PULSE)
    this.flush()
    this.#answered = answers
  }

  get heardMsAgo(): number | undefined {
    return this.#over ? undefined : Math.max(0, this.loop.now - this.#heard)
  }

  close(): void {
    if (this.#over) return
    this.#over = true
    this.loop.remove(this)
    shutdown(this.fd, SOCKET.SHUT_RDWR)
    close(this.fd)
  }

  #lose(cause: string): void {
    if (this.#over) return
    this.close()
    this.parts.onLost(cause)
  }
}
