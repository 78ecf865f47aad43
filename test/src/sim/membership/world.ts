/** A simulated cluster that runs the product's membership machine on each node, and everything that can be done to it. */
import {
  type MembershipAction,
  type MembershipEvent,
  type MembershipState,
  membershipStep,
  peerOf,
  type Watcher,
} from '@holdfast/core/decisions'
import { Agenda } from '../agenda.js'
import { Random } from '../random.js'
import type { Coverage } from '../reached.js'
import { Trace } from '../simulation.js'
import { Carrying } from './carrying.js'
import { type Datagram, Lans } from './lans.js'
import { Node, type StepFunction } from './node.js'
import { oneLanTimeoutMs, type Setting, timeoutMs } from './setting.js'
import { Streams } from './streams.js'
import { transitionOf } from './transitions.js'
import { Truth } from './truth.js'

/** What a known-bad variant does differently. */
export interface Mutation {
  readonly step?: StepFunction
  readonly believes?: 'anything'
  readonly ignoresDirection?: boolean
}

export interface WorldOptions {
  readonly seed: number
  readonly setting: Setting
  readonly mutation?: Mutation | undefined
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  readonly trace: Trace | undefined
  readonly nodes = new Map<string, Node>()
  readonly lans: Lans
  readonly streams: Streams
  readonly truths = new Map<string, Truth>()
  readonly carrying: Carrying
  violation: string | undefined
  told = 0
  #forged = 0
  readonly #isOver = (): boolean => this.violation !== undefined

  constructor(readonly options: WorldOptions) {
    this.random = new Random(options.seed)
    this.trace = options.traced === true ? new Trace() : undefined
    this.lans = new Lans(this, (to, lan, datagram) => {
      this.nodes.get(to)?.receive(lan, datagram)
    })
    this.carrying = new Carrying(this.nodes, this.lans, (what) => {
      this.violation ??= what
    })
    const { nodes, lans } = options.setting
    for (const name of nodes) this.#add(name)
    this.streams = new Streams(this, this.nodes, this.lans, lans)
  }

  node(name: string): Node {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }

  run(forMs: number): void {
    this.agenda.run(this.agenda.now + forMs, this.#isOver)
  }

  note(name: string, what: string): void {
    this.trace?.note(this.agenda.now, name, what)
  }

  start(name: string): void {
    const node = this.node(name)
    if (!node.runs) node.start(this.watchersOf(name))
  }

  /** Of every other node: on all LANs, and on one. */
  watchersOf(name: string): readonly Watcher[] {
    const { nodes, lans } = this.options.setting
    return nodes
      .filter((one) => one !== name)
      .flatMap((node, index): Watcher[] => [
        { id: 2 * index + 1, node, timeoutMs, lans: [] },
        { id: 2 * index + 2, node, timeoutMs: oneLanTimeoutMs, lans: lans.slice(0, 1) },
      ])
  }

  /** Whoever listened sends again what was said, perhaps elsewhere. */
  replay(count: number, isElsewhere: boolean): void {
    this.carrying.replayedMs = this.agenda.now
    const { setting } = this.options
    for (let index = 0; index < count && this.lans.captured.length > 0; index += 1) {
      const datagram = this.random.pick(this.lans.captured)
      const to = isElsewhere ? this.random.pick(setting.nodes) : datagram.to
      const lan = isElsewhere ? this.random.pick(setting.lans) : datagram.lan
      this.lans.carry(to, lan, datagram)
    }
  }

  /** Datagrams of the newest kind, without the key. */
  forge(name: string, count: number): void {
    const { setting } = this.options
    for (let index = 0; index < count; index += 1) {
      this.#forged += 1
      const { incarnation } = this.node(name)
      const to = this.random.pick(setting.nodes)
      const lan = this.random.pick(setting.lans)
      const sequence = 1_000_000 + this.#forged
      const isAuthentic = false
      this.lans.carry(to, lan, {
        ...{ cluster: 'sim', lan, from: name, to, incarnation, sequence, isAuthentic },
        hears: true,
      })
    }
  }

  /** A copy of the machine of `name` with the same counter speaks to those that know the real one. */
  ghost(name: string): void {
    const { incarnation } = this.node(name)
    const copy = { boot: incarnation.boot, id: `${incarnation.id}-copy` }
    for (const [to, node] of this.nodes) {
      if (peerOf(node.state, name)?.incarnation?.id !== incarnation.id) continue
      for (const lan of this.options.setting.lans) {
        const datagram: Datagram = {
          ...{ cluster: 'sim', lan, from: name, to, incarnation: copy, sequence: 2_000_000 },
          ...{ hears: true, isAuthentic: true },
        }
        this.lans.carry(to, lan, datagram)
      }
    }
  }

  #add(name: string): void {
    const { setting, mutation } = this.options
    const node: Node = new Node(name, this, setting.lans, {
      step: mutation?.step ?? membershipStep,
      believes: mutation?.believes ?? 'authentic',
      checksDirection: mutation?.ignoresDirection !== true,
      others: setting.nodes.filter((one) => one !== name),
      send: (datagram) => this.lans.send(datagram),
      streamHeard: (peer) => this.streams.heard(name, peer),
      happened: (event, before, actions) => this.#happened(name, event, before, actions),
      began: () => this.truths.get(name)?.began(),
      ended: () => this.streams.ended(name),
    })
    this.nodes.set(name, node)
    this.truths.set(
      name,
      new Truth(node, (what) => {
        this.violation ??= `${name}: ${what}`
      }),
    )
  }

  #happened(
    name: string,
    event: MembershipEvent,
    before: MembershipState,
    actions: readonly MembershipAction[],
  ): void {
    this.told += actions.length
    if (this.options.coverage !== undefined) {
      this.options.coverage.reached(transitionOf(before, event, actions))
    }
    if (this.trace !== undefined && (actions.length > 0 || event.kind === 'configured')) {
      this.note(name, `${event.kind}: ${actions.map(describe).join(', ')}`)
    }
    this.truths.get(name)?.happened(event, this.#isMeant(name), actions)
    if (event.kind === 'ticked') this.carrying.check(this.node(name))
  }

  /** Is what the node reads now from whoever it says it is, and was it said to this node, here? */
  #isMeant(name: string): boolean {
    const reading = this.node(name).reading
    if (reading === undefined) return true
    const { lan, datagram } = reading
    return datagram.isAuthentic && datagram.to === name && datagram.lan === lan
  }
}

function describe(action: MembershipAction): string {
  switch (action.kind) {
    case 'tellHeard':
    case 'tellSilent':
      return `${action.kind} ${action.watcher} ${action.node}`
    case 'showLan':
      return `${action.node} ${action.lan} ${action.up ? 'up' : 'down'}`
    case 'showRestart':
      return `${action.node} restarted`
    case 'showFreeze':
      return `stood still for ${Math.round(action.lateMs)} ms`
    case 'refuseHeartbeat':
      return `refused ${action.node} on ${action.lan}: ${action.fault}`
  }
}
