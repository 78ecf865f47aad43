/** The serving side, step by step as docs/RFS.md says it, with the product's journal, windows and rules. */
import { KIND, type Mode, Windows, WindowTimes } from '@holdfast/plugin-rfs/decisions'
import type { Link, Message } from './link.js'
import { Process, type ProcessParts } from './process.js'
import type { Change } from './tree.js'

/** `uncertain`: the change may have been made, or not. `refused`: it was not. */
export type Answer = 'done' | 'refused' | 'uncertain'

export type Request =
  | { readonly kind: 'change'; readonly change: Change; readonly answer: (answer: Answer) => void }
  | { readonly kind: 'sync'; readonly path: string; readonly answer: (answer: Answer) => void }

interface Sync {
  readonly request: Request & { kind: 'sync' }
  isLocal: boolean
  isRemote: boolean
}

export interface ServerHooks {
  lost(wasLive: boolean): void
  becameLive(): void
}

/** As much may be sent and not acknowledged: small, so that the limit is met. */
const pendingMax = 3
const tickMs = 200
const windowMs = 1_200

export class Server extends Process {
  mode: Mode = 'alone'
  lastRound = false
  link: Link | undefined
  readonly #windows: Windows
  readonly #windowTimes = new WindowTimes(windowMs)
  #pending = new Map<number, Request>()
  #parked: Request[] = []
  readonly #syncs = new Map<number, Sync>()
  #sent = 0
  #token = 0
  #said = { equal: false, ready: false }

  constructor(
    parts: ProcessParts,
    readonly name: 'a' | 'b',
    readonly hooks: ServerHooks,
  ) {
    super(parts)
    const isReady = this.openJournal()
    this.#windows = new Windows(this.journal, [{ root: 0 }], this.pool, () => undefined)
    if (isReady) this.#tick()
  }

  get waits(): boolean {
    return this.#pending.size + this.#parked.length + this.#syncs.size > 0
  }

  request(request: Request): void {
    if (!this.isAlive) return
    const busy = { lastRound: this.lastRound, full: this.#pending.size >= pendingMax }
    const fate = this.parts.rules.fateOf(this.mode, busy)
    const why = busy.lastRound ? ' in the last round' : busy.full ? ' and full' : ''
    this.parts.reached(`change while ${this.mode}${why}: ${fate}`)
    if (fate === 'refused') request.answer('refused')
    else if (fate === 'kept') this.#parked.push(request)
    else if (request.kind === 'sync') this.#sync(request)
    else this.#make(request)
  }

  /** A follower is there, and both ends begin the copy. */
  admitted(link: Link): void {
    this.link = link
    this.#said = { equal: false, ready: false }
  }

  isEqual(): void {
    this.#said = { ...this.#said, equal: true }
    this.#liveIfReady()
  }

  detach(): void {
    if (this.mode === 'refused') return
    this.#become('lost')
    this.link?.close(this.name, 'this side goes on alone')
    this.#become('detached')
    this.#release('done')
    for (const [token, sync] of [...this.#syncs]) this.#synced(token, { ...sync, isRemote: true })
    this.#replay()
  }

  refuse(): void {
    this.link?.close(this.name, 'this side gives up its role')
    this.#become('refused')
    this.#release('uncertain')
    for (const { request } of this.#syncs.values()) request.answer('uncertain')
    this.#syncs.clear()
    this.#replay()
  }

  stop(): void {
    this.link?.close(this.name, 'this side stops')
    this.closeClean()
  }

  received(message: Message): void {
    if (message.kind !== 'plain') return
    const { code, value } = message
    if (code === KIND.READY) {
      this.#said = { ...this.#said, ready: true }
      this.#liveIfReady()
      return
    }
    if (this.mode !== 'live') return
    if (code === KIND.APPLIED) this.#acknowledged(value)
    if (code === KIND.WINDOW_SYNCED) this.#windows.remoteSynced(this.#ops, value)
    const sync = code === KIND.SYNCED ? this.#syncs.get(value) : undefined
    if (sync !== undefined) this.#synced(value, { ...sync, isRemote: true })
  }

  lost(link: Link): void {
    if (this.link !== link) return
    const wasLive = this.mode === 'live'
    this.link = undefined
    this.#windows.giveUp()
    this.lastRound = false
    this.#become('lost')
    this.hooks.lost(wasLive)
    if (this.mode === 'alone') {
      this.#release('done')
      this.#replay()
    }
  }

  #become(event: 'live' | 'lost' | 'detached' | 'refused'): void {
    const before = this.mode
    this.mode = this.parts.rules.modeAfter(before, event)
    this.parts.reached(`${before} + ${event}: ${this.mode}`)
  }

  #make(request: Request & { kind: 'change' }): void {
    const { tree, rules } = this.parts
    const { change } = request
    this.touch(change)
    if (!this.step()) return
    if (tree.isFull || !tree.apply(change)) {
      request.answer('refused')
      return
    }
    if (!this.step()) return
    if (this.mode !== 'live') {
      request.answer('done')
      return
    }
    this.#sent += 1
    this.link?.send(this.name, { kind: 'op', number: this.#sent, change })
    if (rules.waitsForFollower) this.#pending.set(this.#sent, request)
    else request.answer('done')
  }

  #sync(request: Request & { kind: 'sync' }): void {
    this.#token += 1
    const token = this.#token
    const isRemote = this.mode !== 'live' || !this.parts.rules.syncsBoth
    this.#syncs.set(token, { request, isLocal: false, isRemote })
    if (!isRemote) this.link?.send(this.name, { kind: 'sync', token, path: request.path })
    this.later(this.between(1, 40), () => {
      this.parts.tree.syncPath(request.path)
      const sync = this.#syncs.get(token)
      if (sync !== undefined) this.#synced(token, { ...sync, isLocal: true })
    })
  }

  #synced(token: number, sync: Sync): void {
    this.#syncs.set(token, sync)
    if (!sync.isLocal || !sync.isRemote) return
    this.#syncs.delete(token)
    sync.request.answer('done')
  }

  #acknowledged(number: number): void {
    for (const [sent, request] of [...this.#pending]) {
      if (sent > number) return
      this.#pending.delete(sent)
      request.answer('done')
    }
    this.#replay()
  }

  #release(answer: Answer): void {
    const pending = this.#pending
    this.#pending = new Map()
    for (const request of pending.values()) request.answer(answer)
  }

  #replay(): void {
    const parked = this.#parked
    this.#parked = []
    for (const request of parked) this.request(request)
  }

  #liveIfReady(): void {
    const { link } = this
    if (link === undefined || this.mode === 'live') return
    if (!this.parts.rules.mayGoLive(this.#said)) return
    this.journal.endSet()
    this.journal.trust(link.session)
    if (!this.step()) return
    // What waited since an older session was found by the copy: both trees have it.
    this.#release('done')
    this.#become('live')
    this.#sent = 1
    link.send(this.name, { kind: 'op', number: 1, change: undefined })
    this.lastRound = false
    this.#windowTimes.begin(this.parts.node.sim.agenda.now)
    for (const [token, { request, isRemote }] of this.#syncs) {
      if (!isRemote) link.send(this.name, { kind: 'sync', token, path: request.path })
    }
    this.hooks.becameLive()
    this.#replay()
  }

  get #ops(): { plain(kind: number, ...numbers: number[]): void } {
    return {
      plain: (code, ...[, value = 0]) => {
        this.link?.send(this.name, { kind: 'plain', code, value })
      },
    }
  }

  #tick(): void {
    this.later(tickMs, () => {
      this.#tick()
      const { now } = this.parts.node.sim.agenda
      const isDue = now >= this.#windowTimes.due(this.#sent)
      if (this.mode !== 'live' || !isDue || this.#windows.closing) return
      this.#windowTimes.closed(now, this.#sent)
      this.parts.reached('window closes')
      this.#windows.close(this.#ops)
      if (this.parts.rules.waitsForBothDisks) return
      // The known-bad variant: nobody waits for the disks.
      this.journal.dropBefore(this.journal.openWindow())
    })
  }
}
