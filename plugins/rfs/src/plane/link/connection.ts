/**
 * A connection after its handshake: records in and out, keep-alives, and the rule when it is lost. It never throws for
 * what the peer sends: a malformed record ends the connection and nothing else.
 */
import { POLL, SOCKET, close, errnoName, shutdown } from '../libc.js'
import { isBroken, type Loop, type Watch } from '../loop.js'
import type { ChannelKeys } from '../resync-port.js'
import { KIND, OpWriter } from './ops.js'
import { FILL_BYTES, InBuffer, Opener, OutBuffer, Sealer } from './records.js'
import { readableFrom } from './sockets.js'

/** A keep-alive goes out when nothing did for this part of the time-out, but not less often than the maximum says. */
const PULSES_PER_TIMEOUT = 5
const PULSE_MS_MAX = 200
/** The server begins, a little earlier than is due, and the follower answers at once: it wakes up once for both. */
const BEGINNER_SHARE = 0.95
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
  /** Of the two sides, the one that begins with keep-alives. */
  readonly begins?: boolean
}

export class Connection implements Watch {
  wants: number = POLL.IN
  readonly out: OutBuffer
  readonly ops: OpWriter
  readonly #in: InBuffer
  #heard: number
  #said: number
  #over = false
  readonly #pulseMs: number
  /**
   * While the peer owes nothing, its answer to a keep-alive wakes nobody and is taken with the next one: how many records were
   * written by then. One more, other than a keep-alive, ends the rest. Undefined: no rest.
   */
  #restsAfter: number | undefined
  #lookedAt = 0
  #pulseBytes = 0

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
    this.#endRest()
    if ((events & POLL.IN) !== 0) this.receive()
    else if (isBroken(events)) this.#lose('the connection was reset')
    if ((events & POLL.OUT) !== 0) this.flush()
  }

  /** Takes what has arrived, record by record. `since`: all of it came after this. */
  receive(since = this.loop.now): void {
    for (let fills = 0; fills < FILLS_AT_ONCE && !this.#over; fills++) {
      const got = this.#in.fill(this.fd)
      if (got > 0) this.#heard = Math.max(this.#heard, since)
      this.#take()
      if (got < 0) this.#lose(`the connection ended (${errnoName(got)})`)
      if (got < FILL_BYTES) break
    }
    const { now } = this.loop
    if (this.#heard === now && now - this.#said > this.#pulseMs / 2) this.#pulse()
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
    if (this.#restsAfter !== undefined && this.#restsAfter !== this.out.records) this.#endRest()
    const before = this.out.waiting
    if (before > 0) {
      const failed = this.out.flush(this.fd)
      if (failed < 0) {
        this.#lose(`sending failed (${errnoName(failed)})`)
        return
      }
      if (this.out.waiting < before) this.#said = this.loop.now
    }
    this.wants = this.out.waiting > 0 ? POLL.IN | POLL.OUT : POLL.IN
  }

  /** When `tick` is wanted next. `oldest`: when the oldest thing that the peer owes us was sent. */
  due(oldest: number | undefined): number {
    if (this.#over) return Infinity
    const pulse = this.out.waiting === 0 ? this.#pulseAt : Infinity
    return Math.min(pulse, Math.min(this.#heard, oldest ?? Infinity) + this.timeoutMs)
  }

  /** `isQuiet`: the peer owes nothing but keep-alives. */
  tick(oldest: number | undefined, isQuiet = false): void {
    this.look()
    if (this.#over) return
    const { now } = this.loop
    if (now - this.#heard >= this.timeoutMs) {
      this.#lose(`nothing was heard for ${this.timeoutMs} ms`)
    } else if (oldest !== undefined && now - oldest >= this.timeoutMs) {
      this.#lose(`a change was not acknowledged for ${this.timeoutMs} ms`)
    } else if (now >= this.#pulseAt) {
      this.#pulse()
      if (isQuiet) this.#rest()
    }
  }

  /**
   * Takes what came without waking anybody. When it came is not known, only that it was after the last look: the peer is rather
   * taken for silent too early than too late.
   */
  look(): void {
    if (this.#restsAfter === undefined) return
    const since = this.#lookedAt
    this.#lookedAt = this.loop.now
    this.receive(since)
    // The other end of a record may be shorter than a keep-alive.
    if (this.#in.waiting > 0) this.#endRest()
  }

  /** Everything that a server is told without having asked is longer than a keep-alive, or can wait for the next one. */
  #rest(): void {
    if (this.#over || this.#restsAfter !== undefined) return
    if (this.out.waiting > 0 || this.#in.waiting > 0) return
    this.#restsAfter = this.out.records
    this.#lookedAt = this.loop.now
    readableFrom(this.fd, this.#pulseBytes + 1)
  }

  #endRest(): void {
    if (this.#over || this.#restsAfter === undefined) return
    this.#restsAfter = undefined
    readableFrom(this.fd, 1)
  }

  get #pulseAt(): number {
    return this.#said + this.#pulseMs * (this.parts.begins === true ? BEGINNER_SHARE : 1)
  }

  /** What waits already says as much. */
  #pulse(): void {
    if (this.#over || this.out.waiting > 0) return
    this.ops.plain(KIND.PULSE)
    this.#pulseBytes = this.out.waiting
    if (this.#restsAfter !== undefined) this.#restsAfter++
    this.flush()
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
