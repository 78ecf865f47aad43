/** Carries out what decide.ts says for one notifier: timers, attempts, and the number that a restart goes on behind. */
import {
  assertNever,
  type Cancel,
  type Clock,
  type Log,
  messageOf,
  type Notice,
  type NoticeMessage,
  type Notifier,
  type Store,
} from '@holdfast/sdk'
import { attempt } from './attempt.js'
import {
  type Action,
  type Batch,
  emptyOutbox,
  type Event,
  type Rate,
  step,
  waitingMax,
} from './decide.js'

export interface ChannelParts {
  readonly clock: Pick<Clock, 'after' | 'monotonicMs' | 'wallMs'>
  readonly log: Log
  readonly store: Pick<Store, 'read' | 'write'>
  readonly rate: Rate
  readonly origin: () => Pick<NoticeMessage, 'cluster' | 'node'>
}

export interface ChannelView {
  readonly name: string
  readonly waiting: number
  /** 0: nothing is being delivered. */
  readonly attempt: number
  /** 0: nothing since the daemon started. */
  readonly deliveredMs: number
  /** Empty: the last attempt was good. */
  readonly failure: string
}

export class Channel {
  readonly #stopped = new AbortController()
  #outbox = emptyOutbox
  #cancel: Cancel = () => undefined
  #deliveredMs = 0
  #failure = ''
  /** Writes in order; each has its own answer to a failure. */
  #writes: Promise<void> = Promise.resolve()

  constructor(
    readonly notifier: Notifier,
    private readonly parts: ChannelParts,
  ) {}

  /** The number of the last entry that this notifier is done with. Undefined: it is new here. */
  async remembered(): Promise<number | undefined> {
    const kept = await this.parts.store.read<{ sequence: number }>(this.#storeName())
    return kept?.sequence
  }

  notice(notice: Notice): void {
    this.#post({ kind: 'noticed', notice })
  }

  view(): ChannelView {
    const { waiting, batch } = this.#outbox
    return {
      name: this.notifier.name,
      waiting: waiting.length + (batch?.notices.length ?? 0),
      attempt: batch?.attempt ?? 0,
      deliveredMs: this.#deliveredMs,
      failure: this.#failure,
    }
  }

  /** What waits is sent by the next daemon. `seen`: the last entry that this one looked at. */
  async stop(seen: number): Promise<void> {
    this.#cancel()
    this.#stopped.abort()
    // Other settings after the restart must not bring up what was not wanted before.
    if (this.#outbox.phase === 'idle') this.remember(seen)
    await this.#writes
  }

  remember(sequence: number): void {
    const { store, log } = this.parts
    this.#writes = this.#writes.then(async () => {
      try {
        await store.write(this.#storeName(), { sequence })
      } catch (thrown) {
        // Whatever is wrong with the disk: the worst that follows is a notice that is sent twice.
        const text = `a restart may send notices again: ${messageOf(thrown)}`
        log.write('warning', 'noticesNotRemembered', { text })
      }
    })
  }

  #post(event: Event): void {
    if (this.#stopped.signal.aborted) return
    const { outbox, actions } = step(
      this.#outbox,
      event,
      this.parts.clock.monotonicMs(),
      this.parts.rate,
    )
    this.#outbox = outbox
    for (const action of actions) this.#perform(action)
  }

  #perform(action: Action): void {
    const { log, clock } = this.parts
    const { name } = this.notifier
    switch (action.kind) {
      case 'wake':
        this.#cancel()
        this.#cancel = clock.after(action.afterMs, () => {
          this.#post({ kind: 'timeReached' })
        })
        return
      case 'send':
        void this.#send(action.batch)
        return
      case 'remember':
        this.remember(action.sequence)
        return
      case 'tellFull': {
        const text = `more than ${String(waitingMax)} notices wait for ${name}: the oldest are left out, and counted in the next message`
        log.write('warning', 'noticesDropped', { text, notifier: name })
        return
      }
      case 'tellFailed': {
        const text = `${name} takes no notices, it is tried again: ${action.reason}`
        log.write('warning', 'noticesNotSent', { text, notifier: name, nextMs: action.nextMs })
        return
      }
      case 'tellGivenUp': {
        const text = `${String(action.notices)} notices for ${name} are given up: ${action.reason}`
        log.write('warning', 'noticesGivenUp', { text, notifier: name })
        return
      }
      default:
        assertNever(action)
    }
  }

  /** Never rejects: an attempt always has an answer. */
  async #send(batch: Batch): Promise<void> {
    const { clock, origin } = this.parts
    const message = messageFrom(batch, origin())
    const verdict = await attempt(this.notifier, message, clock, this.#stopped.signal)
    this.#failure = verdict.ok ? '' : verdict.reason
    if (verdict.ok) this.#deliveredMs = clock.wallMs()
    this.#post(verdict.ok ? { kind: 'delivered' } : { kind: 'failed', reason: verdict.reason })
  }

  #storeName(): string {
    return `sent-${this.notifier.name}`
  }
}

function messageFrom(
  { notices, dropped }: Batch,
  origin: Pick<NoticeMessage, 'cluster' | 'node'>,
): NoticeMessage {
  const last = notices.at(-1)
  // With the time: a log that was removed counts from 1 again.
  const id = `${origin.node}-${String(last?.sequence)}-${String(last?.atMs)}`
  return { id, ...origin, notices, dropped }
}
