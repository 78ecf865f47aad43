/** For tests: two copy threads in this process, joined by a pair of sockets, and the loop's part played by a blocking wait. */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, constants } from 'node:fs'
import { POLL, SOCKET, close, eventfd, poll, read, send, shutdown, socketpair } from '../libc.js'
import { Writer } from '../journal/bytes.js'
import { encodeKeys } from '../journal/codec.js'
import type { Gap } from '../journal/gaps.js'
import { Keys } from '../journal/keys.js'
import type { ResyncEvent, ResyncWorker, Standing } from '../resync-port.js'
import { MESSAGE, SCOPES } from './messages.js'
import { Records } from './records.js'
import { startResyncWorker } from './worker.js'

export const TRUSTED: Standing = { trusted: true, why: undefined, base: 'common' }
export const UNTRUSTED: Standing = { trusted: false, why: 'a test says so', base: undefined }
const WAIT_MS_MAX = 60_000
const SHUT_WRITE = 1

interface Side {
  readonly worker: ResyncWorker
  readonly wake: number
}

export interface CopyOptions {
  readonly from: string
  readonly to: string
  /** Keys of each side; without them everything is compared. */
  readonly keys?: readonly [source: Keys, target: Keys]
  /** Of each side: when nobody was in charge. */
  readonly gaps?: readonly [source: readonly Gap[], target: readonly Gap[]]
  readonly full?: boolean
  /** Where the target keeps what it overwrites. */
  readonly aside?: string
  readonly zoneBytes?: number
  readonly sealed?: boolean
  readonly bytesPerSecond?: number
  /** Both sides are stopped after this time. */
  readonly stopAfterMs?: number
  /** The link is lost when so much content was sent. */
  readonly stopAtBytes?: number
  /** Told after each round; returns the keys of the next one. Without it the second round is the last, and empty. */
  readonly between?: (round: number) => { readonly keys: Keys; readonly last: boolean }
}

export interface CopyResult {
  readonly failed: readonly [source: string | undefined, target: string | undefined]
  readonly scope: string
  /** The target was told that keys do not cover what is changed. */
  readonly widened: boolean
  readonly contentBytes: number
  readonly rounds: number
}

/** A pair of threads that lives as long as the test file. */
export class Rig {
  readonly #sides: readonly [Side, Side]
  #run = 0

  constructor() {
    const start = (): Side => {
      const wake = eventfd(0, SOCKET.NONBLOCK)
      return { wake, worker: startResyncWorker(wake) }
    }
    this.#sides = [start(), start()]
  }

  copy(options: CopyOptions): CopyResult {
    this.#run += 1
    const run = this.#run
    const pair = Buffer.alloc(8)
    socketpair(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK, 0, pair)
    const roots = [options.from, options.to].map((path) =>
      openSync(path, constants.O_RDONLY | constants.O_DIRECTORY),
    )
    const secrets = options.sealed === true ? [randomBytes(32), randomBytes(32)] : []
    const side = (which: 0 | 1) => ({
      run,
      socket: pair.readInt32LE(which * 4),
      keys: { send: secrets[which], receive: secrets[1 - which] },
      volumes: [{ index: 0, root: roots[which] ?? -1 }],
      zoneBytes: options.zoneBytes ?? 65_536,
      standing: options.keys === undefined ? UNTRUSTED : TRUSTED,
      journal: encodeKeys(options.keys?.[which] ?? new Keys()),
      gaps: options.gaps?.[which] ?? [],
      timeoutMs: 5_000,
    })
    const [source, target] = this.#sides
    target.worker.order({ kind: 'target', ...side(1), aside: options.aside })
    source.worker.order({
      kind: 'source',
      full: options.full ?? false,
      ...side(0),
      bytesPerSecond: options.bytesPerSecond,
    })
    try {
      return this.#follow(run, options)
    } finally {
      for (const root of roots) closeSync(root)
    }
  }

  /**
   * Plays a hostile source: sends these messages to a target that follows into `to`, then ends the connection.
   * Returns why the target ended.
   */
  attack(to: string, write: (messages: Writer) => void): string {
    this.#run += 1
    const run = this.#run
    const pair = Buffer.alloc(8)
    socketpair(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK, 0, pair)
    const root = openSync(to, constants.O_RDONLY | constants.O_DIRECTORY)
    const { worker } = this.#sides[1]
    worker.order({
      kind: 'target',
      run,
      socket: pair.readInt32LE(4),
      keys: { send: undefined, receive: undefined },
      volumes: [{ index: 0, root }],
      zoneBytes: 65_536,
      standing: UNTRUSTED,
      journal: encodeKeys(new Keys()),
      gaps: [],
      timeoutMs: 5_000,
      aside: undefined,
    })
    const ours = pair.readInt32LE(0)
    const say = (fill: (messages: Writer) => void): void => {
      const messages = new Writer()
      fill(messages)
      const record = new Records({ send: undefined, receive: undefined }).seal(messages.view())
      send(ours, record, record.length, SOCKET.NOSIGNAL)
    }
    say((messages) => messages.u8(MESSAGE.scope).u8(SCOPES.indexOf('keys')).text('a test'))
    try {
      const until = performance.now() + WAIT_MS_MAX
      while (performance.now() < until) {
        for (const [which, event] of this.#events(Infinity)) {
          if (which === 0 || (event.run !== run && event.run !== -1)) continue
          if (event.kind === 'failed') return event.reason
          if (event.kind !== 'scoped') continue
          worker.order({ kind: 'proceed', run })
          say(write)
          shutdown(ours, SHUT_WRITE)
        }
      }
      throw new Error('the target does not end')
    } finally {
      close(ours)
      closeSync(root)
    }
  }

  #follow(run: number, options: CopyOptions): CopyResult {
    const [source, target] = this.#sides
    const ended: [string | undefined, string | undefined] = [undefined, undefined]
    const done = [false, false]
    let scope = ''
    let told = ''
    let contentBytes = 0
    let rounds = 0
    const until = performance.now() + WAIT_MS_MAX
    let stopAt =
      options.stopAfterMs === undefined ? Infinity : performance.now() + options.stopAfterMs
    while (!(done[0] === true && done[1] === true)) {
      if (performance.now() >= stopAt) {
        stopAt = Infinity
        for (const { worker } of this.#sides) worker.order({ kind: 'stop', run })
      }
      if (performance.now() > until) throw new Error('the copy does not end')
      for (const [which, event] of this.#events(stopAt)) {
        if (event.run !== run && event.run !== -1) continue
        if (event.kind === 'failed') {
          ended[which] = event.reason
          done[which] = true
        }
        if (event.kind === 'scoped') {
          if (which === 0) scope = event.scope
          else told = event.scope
          if (which === 1) target.worker.order({ kind: 'proceed', run })
        }
        if (event.kind === 'progressed') contentBytes = event.progress.contentBytes
        if (contentBytes >= (options.stopAtBytes ?? Infinity)) stopAt = 0
        if (event.kind !== 'roundDone') continue
        done[which] = event.last
        if (which === 1 || event.last) continue
        rounds += 1
        const next = options.between?.(rounds) ?? { keys: new Keys(), last: true }
        const keys = encodeKeys(next.keys)
        source.worker.order({ kind: 'round', run, keys, last: next.last })
      }
    }
    return { failed: ended, scope, widened: told !== scope, contentBytes, rounds: rounds + 1 }
  }

  *#events(stopAt: number): Generator<readonly [0 | 1, ResyncEvent]> {
    const polled = Buffer.alloc(16)
    this.#sides.forEach(({ wake }, at) => {
      polled.writeInt32LE(wake, at * 8)
      polled.writeInt16LE(POLL.IN, at * 8 + 4)
    })
    poll(polled, 2, Math.max(0, Math.min(1_000, stopAt - performance.now())))
    const counter = Buffer.alloc(8)
    for (const which of [0, 1] as const) {
      const { wake, worker } = this.#sides[which]
      read(wake, counter, 8)
      for (let event = worker.take(); event !== undefined; event = worker.take()) {
        yield [which, event]
      }
    }
  }
}
