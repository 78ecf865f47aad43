/** `GET /events`: states and log entries as they happen, as a stream of server-sent events. */
import type { ServerResponse } from 'node:http'
import type { Cancel, Clock, Control, ControlEvent, LogEntry, LogLevel } from '@holdfast/sdk'
import { HoldfastError } from '@holdfast/sdk'
import { apiErrors } from './errors.js'
import { moduleOf, presentState } from './present.js'
import { logEntriesMax } from './schemas.js'

const clientsMax = 64
const heartbeatMs = 15_000
/** A client that reads slower than this is disconnected: it comes back with Last-Event-ID and misses nothing. */
const bufferedBytesMax = 1 << 20

export interface Subscription {
  /** Only events of this module; events of the cluster come in any case. */
  readonly module: string | undefined
  /** Also entries of level info and debug. */
  readonly verbose: boolean
  /** Last-Event-ID: the log entries after this sequence come first. */
  readonly afterSequence: number | undefined
}

export class EventStreams {
  readonly #control: Control
  readonly #clock: Clock
  readonly #clients = new Set<ServerResponse>()
  readonly #cancels = new Map<ServerResponse, Cancel>()

  constructor(control: Control, clock: Clock) {
    this.#control = control
    this.#clock = clock
  }

  /** Call before the response is taken over from the server: a refusal is still an ordinary answer then. */
  refuseWhenFull(): void {
    if (this.#clients.size < clientsMax) return
    throw new HoldfastError(
      apiErrors.busy,
      `${String(clientsMax)} event streams are open already`,
      {
        hint: 'end some of the clients, then repeat',
      },
    )
  }

  /** Present state, missed log entries, then everything live: in one turn of the loop, so that nothing falls between. */
  connect(response: ServerResponse, subscription: Subscription): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    this.#clients.add(response)
    response.once('close', () => {
      this.#drop(response)
    })
    response.once('error', () => {
      this.#drop(response)
    })
    this.#greet(response, subscription)
    const unwatch = this.#control.watch((event) => {
      if (isWanted(event, subscription)) this.#send(response, frameOf(event))
    })
    const stopHeartbeat = this.#clock.every(heartbeatMs, () => {
      this.#send(response, ': alive\n\n')
    })
    this.#cancels.set(response, () => {
      unwatch()
      stopHeartbeat()
    })
    if (response.destroyed) this.#drop(response)
  }

  endAll(): void {
    for (const response of [...this.#clients]) {
      this.#drop(response)
      response.destroy()
    }
  }

  #greet(response: ServerResponse, subscription: Subscription): void {
    this.#send(response, frameOf({ kind: 'clusterState', cluster: this.#control.cluster() }))
    for (const { name, state } of this.#control.modules()) {
      const wanted = subscription.module === undefined || subscription.module === name
      if (state !== undefined && wanted) {
        this.#send(response, frameOf({ kind: 'moduleState', module: name, state }))
      }
    }
    if (subscription.afterSequence !== undefined) {
      this.#replay(response, subscription, subscription.afterSequence)
    }
  }

  #replay(response: ServerResponse, subscription: Subscription, afterSequence: number): void {
    const entries = this.#control.log({ afterSequence, limit: logEntriesMax, verbose: true })
    const first = entries[0]?.sequence
    if (first !== undefined && first > afterSequence + 1) {
      const gap = JSON.stringify({ afterSequence, beforeSequence: first })
      this.#send(response, `event: gap\ndata: ${gap}\n\n`)
    }
    for (const entry of entries) {
      const event: ControlEvent = { kind: 'logged', entry }
      if (isWanted(event, subscription)) this.#send(response, frameOf(event))
    }
  }

  #send(response: ServerResponse, frame: string): void {
    if (response.destroyed) return
    response.write(frame)
    if (response.writableLength > bufferedBytesMax) {
      this.#drop(response)
      response.destroy()
    }
  }

  #drop(response: ServerResponse): void {
    this.#clients.delete(response)
    this.#cancels.get(response)?.()
    this.#cancels.delete(response)
  }
}

function isWanted(event: ControlEvent, subscription: Subscription): boolean {
  if (event.kind === 'clusterState') return true
  const moduleFits = subscription.module === undefined || moduleOf(event) === subscription.module
  if (event.kind === 'moduleState') return moduleFits
  return moduleFits && (subscription.verbose || isForOperators(event.entry.level))
}

function isForOperators(level: LogLevel): boolean {
  return level === 'critical' || level === 'event' || level === 'warning'
}

/** Only log entries carry an id: they are what can be replayed; states are told again at each connect. */
function frameOf(event: ControlEvent): string {
  if (event.kind === 'logged') return frame('logged', event.entry, event.entry)
  if (event.kind === 'clusterState') return frame('clusterState', event.cluster)
  return frame('moduleState', { module: event.module, state: presentState(event.state) })
}

function frame(name: string, content: unknown, entry?: LogEntry): string {
  const id = entry === undefined ? '' : `id: ${String(entry.sequence)}\n`
  return `${id}event: ${name}\ndata: ${JSON.stringify(content)}\n\n`
}
