/** Says the handshake over a socket of the loop, on either side, within a written time. */
import { randomBytes } from 'node:crypto'
import { E, POLL, SOCKET, close, errnoName, recv, send } from '../libc.js'
import { isBroken, type Loop, type Watch } from '../loop.js'
import type { ChannelKeys } from '../resync-port.js'
import {
  CONFIRM_BYTES,
  HELLO_BYTES,
  NONCE_BYTES,
  WELCOME_BYTES,
  keysOf,
  proves,
  readHello,
  readWelcome,
  writeConfirm,
  writeHello,
  writeWelcome,
  type Secrets,
} from './handshake.js'
import { connectError } from './sockets.js'

export interface Greeted {
  readonly fd: number
  readonly kind: number
  readonly keys: ChannelKeys
}

export interface Admission {
  readonly session: Buffer
  readonly key: Buffer
}

interface Outcome {
  /** The socket and its keys; whoever takes it closes it. */
  readonly onDone: (greeted: Greeted) => void
  /** The socket is closed. */
  readonly onFailed: (cause: string) => void
}

/** What both sides share: a buffer of exactly the bytes that come next. */
abstract class Greeting implements Watch {
  abstract wants: number
  #over = false
  #expected: Buffer
  #got = 0
  readonly #until: number

  protected constructor(
    readonly loop: Loop,
    readonly fd: number,
    first: number,
    timeoutMs: number,
    readonly outcome: Outcome,
  ) {
    this.#expected = Buffer.alloc(first)
    this.#until = loop.now + timeoutMs
    loop.add(this)
  }

  get over(): boolean {
    return this.#over
  }

  /** Ends it when its time is over. */
  tick(): void {
    if (!this.#over && this.loop.now > this.#until) this.fail('the handshake took too long')
  }

  abort(): void {
    if (this.#over) return
    this.#leave()
    close(this.fd)
  }

  abstract onReady(events: number): void

  /** Reads what comes next; calls `take` when it is complete. Never reads a byte more: that belongs to the records. */
  protected read(take: (bytes: Buffer) => void): void {
    const rest = this.#expected.subarray(this.#got)
    const got = recv(this.fd, rest, rest.length, 0)
    if (got === -E.AGAIN || got === -E.INTR) return
    if (got <= 0) {
      this.fail(got === 0 ? 'the peer closed it' : errnoName(got))
      return
    }
    this.#got += got
    if (this.#got === this.#expected.length) take(this.#expected)
  }

  protected expect(bytes: number): void {
    this.#expected = Buffer.alloc(bytes)
    this.#got = 0
  }

  /** A hundred bytes at the start of a connection always fit into the socket's buffer. */
  protected say(bytes: Buffer): boolean {
    const sent = send(this.fd, bytes, bytes.length, SOCKET.NOSIGNAL)
    if (sent === bytes.length) return true
    this.fail(sent < 0 ? errnoName(sent) : 'the greeting was cut')
    return false
  }

  protected done(secrets: Secrets, side: 'server' | 'dialler', sealed: boolean): void {
    this.#leave()
    const keys = keysOf(secrets, side, sealed)
    this.outcome.onDone({ fd: this.fd, kind: secrets.kind, keys })
  }

  protected fail(cause: string): void {
    if (this.#over) return
    this.abort()
    this.outcome.onFailed(cause)
  }

  #leave(): void {
    this.#over = true
    this.loop.remove(this)
  }
}

/** The side that listens. */
export class ServerGreeting extends Greeting {
  wants: number = POLL.IN
  #secrets: Secrets | undefined

  constructor(
    loop: Loop,
    fd: number,
    timeoutMs: number,
    readonly admission: () => Admission | undefined,
    readonly sealed: boolean,
    outcome: Outcome,
  ) {
    super(loop, fd, HELLO_BYTES, timeoutMs, outcome)
  }

  /** It named the session that is admitted: no proof, but more than a stranger says. */
  get isExpected(): boolean {
    return this.#secrets !== undefined
  }

  /** Another one needs its place. */
  displace(): void {
    this.fail('others came after it, and it said nothing')
  }

  onReady(events: number): void {
    if ((events & POLL.IN) === 0 && isBroken(events)) this.fail('the connection was reset')
    else if (this.#secrets === undefined) this.read((bytes) => this.#hello(bytes))
    else this.read((bytes) => this.#confirm(bytes))
  }

  #hello(bytes: Buffer): void {
    const hello = readHello(bytes)
    if (typeof hello === 'string') {
      this.fail(hello)
      return
    }
    const admission = this.admission()
    if (admission === undefined || !admission.session.equals(hello.session)) {
      this.fail('it names a session that was not admitted')
      return
    }
    this.#secrets = {
      key: admission.key,
      session: hello.session,
      kind: hello.kind,
      diallerNonce: hello.nonce,
      serverNonce: randomBytes(NONCE_BYTES),
    }
    this.expect(CONFIRM_BYTES)
    this.say(writeWelcome(this.#secrets))
  }

  #confirm(bytes: Buffer): void {
    const secrets = this.#secrets
    if (secrets === undefined) return
    if (this.admission()?.session.equals(secrets.session) !== true) this.fail('its session is over')
    else if (proves(secrets, 'dialler', bytes)) this.done(secrets, 'server', this.sealed)
    else this.fail('it does not know the key of the session')
  }
}

/** The side that dials. */
export class DiallerGreeting extends Greeting {
  wants: number = POLL.OUT
  readonly #nonce = randomBytes(NONCE_BYTES)
  #connected = false

  constructor(
    loop: Loop,
    fd: number,
    timeoutMs: number,
    readonly kind: number,
    readonly admission: Admission,
    readonly sealed: boolean,
    outcome: Outcome,
  ) {
    super(loop, fd, WELCOME_BYTES, timeoutMs, outcome)
  }

  onReady(events: number): void {
    if (this.#connected) {
      if ((events & POLL.IN) !== 0) this.read((bytes) => this.#welcome(bytes))
      else if (isBroken(events)) this.fail('the connection was reset')
      return
    }
    const failed = connectError(this.fd)
    if (failed !== 0) {
      this.fail(errnoName(failed))
      return
    }
    this.#connected = true
    this.wants = POLL.IN
    const { session } = this.admission
    this.say(writeHello({ kind: this.kind, session, nonce: this.#nonce }))
  }

  #welcome(bytes: Buffer): void {
    const welcome = readWelcome(bytes)
    if (typeof welcome === 'string') {
      this.fail(welcome)
      return
    }
    const secrets: Secrets = {
      key: this.admission.key,
      session: this.admission.session,
      kind: this.kind,
      diallerNonce: this.#nonce,
      serverNonce: welcome.nonce,
    }
    if (!proves(secrets, 'server', welcome.proof)) {
      this.fail('it does not know the key of the session')
      return
    }
    if (this.say(writeConfirm(secrets))) this.done(secrets, 'dialler', this.sealed)
  }
}
