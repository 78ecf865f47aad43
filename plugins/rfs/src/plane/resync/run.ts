/** One copy as the thread runs it: steps between which orders are looked at. */
import { decodeInto, encodePieces } from '../journal/codec.js'
import { Keys } from '../journal/keys.js'
import type { ResyncOrder, ResyncProgress, ResyncVolume, Standing } from '../resync-port.js'
import type { Channel } from './channel.js'
import { MESSAGE, PROTOCOL, type Scope } from './messages.js'
import type { Task } from './files.js'
import { Source, type SourceOptions } from './source.js'
import { Target } from './target.js'

export interface RunEvents {
  /** What was found is added to the keys of this side. */
  searched(found: Keys): void
  scoped(scope: Scope, why: string): void
  roundDone(last: boolean): void
  progressed(progress: ResyncProgress): void
  setAside(files: number, bytes: number): void
}

export interface RunOptions {
  readonly channel: Channel
  readonly volumes: readonly ResyncVolume[]
  readonly zoneBytes: number
  readonly standing: Standing
  readonly keys: Keys
  /** Adds to the keys what others changed on this side, and tells it. Undefined: nobody could. */
  readonly search: Task | undefined
  readonly on: RunEvents
}

export interface Run {
  readonly finished: boolean
  /** A bounded piece of work, or a bounded wait. */
  step(): void
  order(order: ResyncOrder): void
  close(): void
}

/** The longest wait between two looks at the world; an order ends it. */
const WAIT_MS = 1_000

export class SourceRun implements Run {
  readonly #source: Source
  readonly #channel: Channel

  constructor(options: RunOptions & Pick<SourceOptions, 'full' | 'bytesPerSecond'>) {
    this.#channel = options.channel
    this.#source = new Source(options)
  }

  get finished(): boolean {
    return this.#source.finished
  }

  step(): void {
    const pauseMs = Math.min(this.#source.pauseMs, WAIT_MS)
    // Before it is asked whether there is room for more: a kernel that takes everything at once never says so later.
    this.#channel.flush()
    this.#channel.pump(this.#source.busy ? pauseMs : WAIT_MS, (messages) => {
      this.#source.receive(messages)
    })
    if (pauseMs === 0) this.#source.work()
  }

  order(order: ResyncOrder): void {
    if (order.kind === 'share') this.#source.share = order.share
    if (order.kind !== 'round') return
    const keys = new Keys()
    decodeInto(order.keys, keys)
    this.#source.round(keys, order.last)
  }

  close(): void {
    this.#source.close()
  }
}

const KEYS_PIECE_BYTES = 64 * 1024

export class TargetRun implements Run {
  readonly #target: Target
  readonly #options: RunOptions
  #scope: Scope | undefined

  constructor(options: RunOptions & { readonly aside: string | undefined }) {
    this.#options = options
    const { on } = options
    this.#target = new Target({
      ...options,
      on: {
        ...on,
        scoped: (scope, why) => {
          this.#scope = scope
          if (scope === 'keys') this.#find()
          on.scoped(scope, why)
        },
      },
    })
    const { channel, zoneBytes, standing } = options
    const to = channel.begin(MESSAGE.hello).uint(PROTOCOL).uint(zoneBytes)
    to.u8(standing.trusted ? 1 : 0)
      .text(standing.why ?? '')
      .text(standing.base ?? '')
  }

  get finished(): boolean {
    return this.#target.finished
  }

  step(): void {
    this.#options.channel.pump(WAIT_MS, (messages) => this.#target.receive(messages))
  }

  /** The loop has written down that this tree is being changed: the source may begin. */
  order(order: ResyncOrder): void {
    if (order.kind !== 'proceed') return
    const { channel, keys } = this.#options
    if (this.#scope === 'keys') {
      encodePieces(keys, KEYS_PIECE_BYTES, (piece) => {
        channel.begin(MESSAGE.keys).uint(piece.length).raw(piece)
      })
    }
    channel.begin(MESSAGE.ready)
  }

  /** What is found is journalled, as are the other keys of this side, before anything is changed. */
  #find(): void {
    const { search, channel } = this.#options
    if (search === undefined) return
    channel.announceBusy()
    while (search.next().done !== true) channel.keepAlive()
  }

  close(): void {
    this.#target.close()
  }
}
