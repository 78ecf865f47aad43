/**
 * One node: the product's membership machine, and what its driver does around it. Heartbeats go out with each pulse,
 * what arrived is read before silence is decided, and the process can die, stand still, or be set aside with its clock.
 */
import {
  freezePulses,
  hears,
  type Incarnation,
  initialMembership,
  isMisdirected,
  isPresent,
  type MembershipAction,
  type MembershipEvent,
  type MembershipState,
  type MembershipStep,
  nextBoot,
  peerOf,
  type Watcher,
} from '@holdfast/core/decisions'
import type { Simulation } from '../simulation.js'
import type { Datagram } from './lans.js'
import { pulseMs, socketMax } from './setting.js'

export type StepFunction = (state: MembershipState, event: MembershipEvent) => MembershipStep

export interface NodeHooks {
  readonly step: StepFunction
  /** A known-bad driver: it does not look at the key, or not at where a datagram was meant to go. */
  readonly believes: 'authentic' | 'anything'
  readonly checksDirection: boolean
  readonly others: readonly string[]
  send(datagram: Datagram): void
  /** Since when anything came on the stream with this peer, by our clock, and on which LAN. */
  streamHeard(peer: string): { readonly lan: string; readonly heardMs: number } | undefined
  happened(
    event: MembershipEvent,
    before: MembershipState,
    actions: readonly MembershipAction[],
  ): void
  began(): void
  ended(): void
}

/** Longer than from one tick to one that the machine takes for a pause. */
const pauseMs = (freezePulses + 2) * pulseMs

export class Node {
  state: MembershipState = initialMembership
  runs = false
  frozen: 'no' | 'process' | 'machine' = 'no'
  incarnation: Incarnation = { boot: 0, id: '0' }
  /** On the disk. */
  lastBoot = 0
  wallOffsetMs = 0
  lans: readonly string[]
  /** When it last went on after it stood still for longer than a timer may be late, by its own clock. */
  thawedMs: number | undefined
  /** When it last began, ended, stood still, went on, or was configured anew: true time. */
  changedMs = 0
  /** What is read at this moment, and on which LAN it came. */
  reading: { readonly lan: string; readonly datagram: Datagram } | undefined
  #frozenMs = 0
  #sequence = 0
  #life = 0
  #ids = 0
  #waiting: (() => void)[] = []
  #isPulseLate = false
  #clockMs = 0
  #clockSince = 0
  readonly #rate: number

  constructor(
    readonly name: string,
    readonly sim: Simulation,
    lans: readonly string[],
    readonly hooks: NodeHooks,
  ) {
    this.lans = lans
    this.#rate = 0.98 + 0.04 * sim.random.next()
  }

  /** Its monotonic clock: at its own speed, and not at all while the whole machine is set aside. */
  get nowMs(): number {
    if (this.frozen === 'machine') return this.#clockMs
    return this.#clockMs + (this.sim.agenda.now - this.#clockSince) * this.#rate
  }

  get isAwake(): boolean {
    return this.runs && this.frozen === 'no'
  }

  start(watchers: readonly Watcher[]): void {
    if (this.runs) return
    this.runs = true
    this.#changes()
    this.#life += 1
    this.#ids += 1
    const wallMs = 1_700_000_000_000 + this.sim.agenda.now + this.wallOffsetMs
    const boot = nextBoot(this.lastBoot, wallMs)
    this.lastBoot = boot
    this.incarnation = { boot, id: `${boot}-${this.name}${this.#ids}` }
    this.state = initialMembership
    this.#sequence = 0
    this.thawedMs = undefined
    this.hooks.began()
    this.configure(this.lans)
    for (const watcher of watchers) this.watch(watcher)
    this.#pulse(this.#life)
  }

  kill(): void {
    if (!this.runs) return
    this.#resumeClock()
    this.#changes()
    this.runs = false
    this.frozen = 'no'
    this.#life += 1
    this.#waiting = []
    this.#isPulseLate = false
    this.hooks.ended()
  }

  freeze(what: 'process' | 'machine'): void {
    if (!this.isAwake) return
    this.#changes()
    this.#frozenMs = this.nowMs
    this.#clockMs = this.nowMs
    this.#clockSince = this.sim.agenda.now
    this.frozen = what
  }

  thaw(): void {
    if (this.frozen === 'no') return
    this.#changes()
    this.#resumeClock()
    if (this.nowMs - this.#frozenMs > pauseMs) this.thawedMs = this.nowMs
    const waiting = this.#waiting
    this.#waiting = []
    for (const read of waiting) read()
    // The driver empties its sockets before it lets a tick through.
    if (this.#isPulseLate) this.#pulse(this.#life)
  }

  configure(lans: readonly string[]): void {
    if (this.frozen !== 'no') {
      this.#waiting.push(() => this.configure(lans))
      return
    }
    this.lans = lans
    this.#changes()
    if (!this.runs) return
    const peers = this.hooks.others.map((node) => ({ node, lans }))
    this.happens({ kind: 'configured', nowMs: this.nowMs, pulseMs, peers })
  }

  watch(watcher: Watcher): void {
    this.happens({ kind: 'watched', nowMs: this.nowMs, watcher })
  }

  unwatch(id: number): void {
    this.happens({ kind: 'unwatched', id })
  }

  /** False: another incarnation of this peer is known to be the later one. */
  prove(node: string, incarnation: Incarnation): boolean {
    if (!isPresent(peerOf(this.state, node)?.incarnation, incarnation)) return false
    this.happens({ kind: 'incarnationProved', node, incarnation })
    return true
  }

  /** A datagram is in the socket; it is read when the process runs. */
  receive(lan: string, datagram: Datagram): void {
    if (!this.runs || !this.lans.includes(lan)) return
    if (this.frozen === 'no') this.#read(lan, datagram)
    else if (this.#waiting.length < socketMax) this.#waiting.push(() => this.#read(lan, datagram))
  }

  happens(event: MembershipEvent): void {
    if (!this.runs) return
    const before = this.state
    const { next, actions } = this.hooks.step(before, event)
    this.state = next
    this.hooks.happened(event, before, actions)
  }

  #read(lan: string, datagram: Datagram): void {
    if (!datagram.isAuthentic && this.hooks.believes === 'authentic') return
    const here = { cluster: 'sim', self: this.name, lan }
    if (this.hooks.checksDirection && isMisdirected(datagram, here)) return
    const { from: node, incarnation, sequence, hears } = datagram
    const { nowMs } = this
    this.reading = { lan, datagram }
    this.happens({ kind: 'heartbeatReceived', nowMs, node, lan, incarnation, sequence, hears })
    this.reading = undefined
  }

  #pulse(life: number): void {
    if (this.#life !== life) return
    if (this.frozen !== 'no') {
      this.#isPulseLate = true
      return
    }
    this.#isPulseLate = false
    this.#beat()
    for (const node of this.hooks.others) {
      const heard = this.hooks.streamHeard(node)
      if (heard !== undefined) this.happens({ kind: 'streamHeard', node, ...heard })
    }
    this.happens({ kind: 'ticked', nowMs: this.nowMs })
    // A timer is late now and then, never early.
    const lateMs = this.sim.random.chance(0.1) ? this.sim.random.integer(0, 60) : 0
    this.sim.agenda.after(pulseMs / this.#rate + lateMs, () => this.#pulse(life))
  }

  #beat(): void {
    const { name: from, incarnation } = this
    for (const to of this.hooks.others) {
      for (const lan of this.lans) {
        this.#sequence += 1
        const sequence = this.#sequence
        const beat = { cluster: 'sim', lan, from, to, incarnation, sequence, isAuthentic: true }
        this.hooks.send({ ...beat, hears: hears(this.state, to, lan) })
      }
    }
  }

  #changes(): void {
    this.changedMs = this.sim.agenda.now
  }

  #resumeClock(): void {
    this.#clockMs = this.nowMs
    this.#clockSince = this.sim.agenda.now
    this.frozen = 'no'
  }
}
