/**
 * What must hold, seen from outside: who really said something, when, and what each watcher was told about it. A second
 * and naive account of what the machine computes, and of what it can't know: when a process really stood still.
 */
import {
  gracePulses,
  type Incarnation,
  lanDownPulses,
  type MembershipAction,
  type MembershipEvent,
  type Watcher,
} from '@holdfast/core/decisions'
import type { Node } from './node.js'
import { pulseMs } from './setting.js'

interface Heard {
  incarnation: Incarnation | undefined
  /** The highest number that was accepted, by LAN. */
  readonly sequences: Map<string, number>
  /** When a heartbeat was accepted, by LAN; when the stream was last known to have spoken. */
  readonly beats: Map<string, number>
  readonly streams: Map<string, number>
}

interface Told {
  readonly watcher: Watcher
  verdict: 'heard' | 'silent' | undefined
}

/** The account of one life of one node. */
export class Truth {
  #beganMs = 0
  readonly #peers = new Map<string, Heard>()
  readonly #watchers = new Map<number, Told>()
  readonly #shown = new Map<string, boolean>()
  /** On-time ticks since the process last stood still or began. */
  #ticks = 0
  #lastTickMs: number | undefined

  constructor(
    readonly node: Node,
    readonly violated: (what: string) => void,
  ) {}

  began(): void {
    this.#beganMs = this.node.nowMs
    this.#peers.clear()
    this.#watchers.clear()
    this.#shown.clear()
    this.#ticks = 0
    this.#lastTickMs = undefined
  }

  verdict(id: number): Told['verdict'] {
    return this.#watchers.get(id)?.verdict
  }

  happened(event: MembershipEvent, isMeant: boolean, actions: readonly MembershipAction[]): void {
    const isRefused = actions.some(({ kind }) => kind === 'refuseHeartbeat')
    const heardOn = this.#account(event, isMeant, isRefused)
    for (const action of actions) this.#check(action, event, heardOn)
    if (event.kind === 'ticked') this.#mustHaveTold(event.nowMs)
  }

  /** Returns whom this event lets us hear, on which LAN. */
  #account(
    event: MembershipEvent,
    isMeant: boolean,
    isRefused: boolean,
  ): { node: string; lan: string } | undefined {
    switch (event.kind) {
      case 'watched':
        this.#watchers.set(event.watcher.id, { watcher: event.watcher, verdict: undefined })
        return undefined
      case 'unwatched':
        this.#watchers.delete(event.id)
        return undefined
      case 'incarnationProved':
        this.#meet(this.#peer(event.node), event.incarnation)
        return undefined
      case 'streamHeard': {
        const { streams } = this.#peer(event.node)
        if (event.heardMs <= (streams.get(event.lan) ?? -Infinity)) return undefined
        if (!this.node.lans.includes(event.lan)) return undefined
        streams.set(event.lan, event.heardMs)
        return event
      }
      case 'heartbeatReceived':
        return isMeant && this.#isNew(event, isRefused) ? event : undefined
      case 'ticked':
        this.#tick(event.nowMs)
        return undefined
      case 'configured':
        for (const { beats, streams } of this.#peers.values()) {
          for (const times of [beats, streams]) {
            for (const lan of [...times.keys()])
              if (!this.node.lans.includes(lan)) times.delete(lan)
          }
        }
        for (const key of [...this.#shown.keys()]) {
          if (!this.node.lans.includes(key.split(' ')[1] ?? '')) this.#shown.delete(key)
        }
        return undefined
    }
  }

  #isNew(event: MembershipEvent & { kind: 'heartbeatReceived' }, isRefused: boolean): boolean {
    const { node, lan, incarnation, sequence, nowMs } = event
    const isKnown = this.node.hooks.others.includes(node) && this.node.lans.includes(lan)
    const peer = this.#peer(node)
    if (!isKnown || !this.#meet(peer, incarnation)) return false
    if (sequence <= (peer.sequences.get(lan) ?? -1)) return false
    // A LAN that was added begins with the highest number of all: what overtook something else may be refused.
    if (isRefused && sequence <= Math.max(...peer.sequences.values())) return false
    peer.sequences.set(lan, sequence)
    peer.beats.set(lan, nowMs)
    return true
  }

  /** False: it has ended. */
  #meet(peer: Heard, incarnation: Incarnation): boolean {
    const known = peer.incarnation
    if (known?.id === incarnation.id) return true
    if (known !== undefined && incarnation.boot <= known.boot) return false
    peer.incarnation = incarnation
    peer.sequences.clear()
    return true
  }

  #check(
    action: MembershipAction,
    event: MembershipEvent,
    heardOn: { node: string; lan: string } | undefined,
  ): void {
    switch (action.kind) {
      case 'tellHeard':
        this.#checkHeard(action, event, heardOn)
        return
      case 'tellSilent':
        this.#checkSilent(action.watcher)
        return
      case 'showLan':
        this.#checkLan(action, heardOn)
        return
      case 'refuseHeartbeat':
        if (heardOn !== undefined) this.violated(`it refuses a new heartbeat (${action.fault})`)
        return
      case 'showRestart':
      case 'showFreeze':
        return
    }
  }

  #checkHeard(
    action: { readonly watcher: number; readonly node: string },
    event: MembershipEvent,
    heardOn: { node: string; lan: string } | undefined,
  ): void {
    const told = this.#watchers.get(action.watcher)
    if (told === undefined) {
      this.violated('a watcher that is not there was told')
      return
    }
    const { watcher } = told
    const isRecent = this.node.nowMs - this.#heardMs(watcher) < watcher.timeoutMs
    const isNow = heardOn?.node === watcher.node && isWatched(watcher, heardOn.lan)
    if (event.kind === 'watched' ? !isRecent : !isNow) {
      this.violated(`${action.node} is called heard without anything new from it`)
    }
    if (told.verdict === 'heard') this.violated('a watcher was told twice that it is heard')
    told.verdict = 'heard'
  }

  #checkSilent(id: number): void {
    const told = this.#watchers.get(id)
    if (told === undefined) {
      this.violated('a watcher that is not there was told')
      return
    }
    const { watcher } = told
    const silentMs = this.#silentMs(watcher)
    if (silentMs < watcher.timeoutMs) {
      this.violated(
        `${watcher.node} is called silent ${Math.round(silentMs)} ms after it was heard`,
      )
    }
    const { thawedMs } = this.node
    const graceMs = gracePulses * pulseMs
    if (thawedMs !== undefined && this.node.nowMs < thawedMs + graceMs) {
      this.violated(`${watcher.node} is called silent by a process that just stood still itself`)
    }
    if (told.verdict === 'silent') this.violated('a watcher was told twice that it is silent')
    told.verdict = 'silent'
  }

  #checkLan(
    action: { readonly node: string; readonly lan: string; readonly up: boolean },
    heardOn: { node: string; lan: string } | undefined,
  ): void {
    const key = `${action.node} ${action.lan}`
    const atMs = this.#peer(action.node).beats.get(action.lan) ?? -Infinity
    const isHeard = heardOn?.node === action.node && heardOn.lan === action.lan
    if (action.up && !isHeard) this.violated(`${key} is shown up without a heartbeat`)
    if (!action.up && this.node.nowMs - atMs < lanDownPulses * pulseMs) {
      this.violated(`${key} is shown down although heartbeats come`)
    }
    if (this.#shown.get(key) === action.up) this.violated(`${key} is shown twice the same`)
    this.#shown.set(key, action.up)
  }

  /** The process ran without a pause: whoever was silent for the time-out has been called so. */
  #mustHaveTold(nowMs: number): void {
    if (this.#ticks <= gracePulses + 2) return
    for (const { watcher, verdict } of this.#watchers.values()) {
      if (verdict === 'silent' || this.#silentMs(watcher) < watcher.timeoutMs + pulseMs) continue
      this.violated(`${watcher.node} is silent at ${Math.round(nowMs)}, and nobody was told`)
    }
  }

  #tick(nowMs: number): void {
    const last = this.#lastTickMs
    const isLate = last !== undefined && nowMs - last > 2 * pulseMs
    this.#ticks = isLate ? 0 : this.#ticks + 1
    this.#lastTickMs = nowMs
  }

  #silentMs(watcher: Watcher): number {
    return this.node.nowMs - Math.max(this.#beganMs, this.#heardMs(watcher))
  }

  #heardMs(watcher: Watcher): number {
    const { beats, streams } = this.#peer(watcher.node)
    let lastMs = -Infinity
    for (const times of [beats, streams]) {
      for (const [lan, atMs] of times) if (isWatched(watcher, lan)) lastMs = Math.max(lastMs, atMs)
    }
    return lastMs
  }

  #peer(name: string): Heard {
    let peer = this.#peers.get(name)
    if (peer === undefined) {
      peer = { incarnation: undefined, sequences: new Map(), beats: new Map(), streams: new Map() }
      this.#peers.set(name, peer)
    }
    return peer
  }
}

function isWatched(watcher: Watcher, lan: string): boolean {
  return watcher.lans.length === 0 || watcher.lans.includes(lan)
}
