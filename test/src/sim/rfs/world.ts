/** Two simulated nodes whose data planes replicate a tree, with the product's journal and rules; and what can happen to them. */
import type { Moment } from '@holdfast/plugin-rfs/decisions'
import { HoldfastError } from '@holdfast/sdk'
import { Agenda } from '../agenda.js'
import { type NodeName, nodeNames, other, SimNode } from '../node.js'
import { Random } from '../random.js'
import type { Coverage } from '../reached.js'
import { Trace } from '../simulation.js'
import { Arbiter } from './arbiter.js'
import { Client } from './client.js'
import { Copy } from './copy.js'
import { Follower } from './follower.js'
import { Link } from './link.js'
import type { ProcessParts } from './process.js'
import { productRules, type Rules } from './rules.js'
import { Server } from './server.js'
import { SimStore } from './store.js'
import { type Change, paths, textOf, Tree, type TreeImage } from './tree.js'
import { pathsOf, Truth } from './truth.js'

export interface WorldOptions {
  readonly seed: number
  readonly rules?: Partial<Rules>
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

interface Host {
  readonly node: SimNode
  readonly tree: Tree
  readonly store: SimStore
  boots: number
  /** When it was started, and how far its clock is off. */
  bootedAt: number
  clockOffMs: number
  /** The clock was set since anybody was in charge. Set twice, or before a restart, nothing shows that. */
  hasClockMoved: boolean
  /** Paths that were changed while it was stopped. */
  readonly edited: Set<string>
  /** It lost what was not synced, and nobody gave it back yet. */
  lostPower: boolean
  /** The process or the machine dies after so many more steps. */
  doom: { steps: number; readonly how: 'plane' | 'power' } | undefined
  role: Server | Follower | undefined
  /** Its last role ended in order: what it had is on its disk. */
  isClean: boolean
  /** An image of the disk, made while the machine was off after such an end. */
  image: { readonly tree: TreeImage; readonly journal: Buffer | undefined } | undefined
}

export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  readonly trace: Trace | undefined
  readonly truth: Truth
  readonly arbiter: Arbiter
  readonly network = { up: { a: true, b: true }, passes: (from: NodeName) => this.network.up[from] }
  violation: string | undefined
  clientsWrite = true
  readonly #hosts: Record<NodeName, Host>
  readonly #rules: Rules
  readonly #isOver = (): boolean => this.violation !== undefined

  constructor(readonly options: WorldOptions) {
    this.random = new Random(options.seed)
    this.trace = options.traced === true ? new Trace() : undefined
    this.#rules = { ...productRules, ...options.rules }
    this.#hosts = { a: this.#host('a'), b: this.#host('b') }
    this.truth = new Truth(
      (name) => this.tree(name),
      (what) => {
        this.violation ??= what
      },
    )
    this.arbiter = new Arbiter(this)
    new Client(this).start()
  }

  run(forMs: number): void {
    this.agenda.run(this.agenda.now + forMs, this.#isOver)
  }

  note(name: string, what: string): void {
    this.trace?.note(this.agenda.now, name, what)
  }

  tree(name: NodeName): Tree {
    return this.#hosts[name].tree
  }

  store(name: NodeName): SimStore {
    return this.#hosts[name].store
  }

  lostPower(name: NodeName): boolean {
    return this.#hosts[name].lostPower
  }

  server(name: NodeName): Server | undefined {
    const { role } = this.#hosts[name]
    return role instanceof Server ? role : undefined
  }

  /** Can it take orders? */
  isAble(name: NodeName): boolean {
    const { node } = this.#hosts[name]
    return node.daemonRuns && node.isAwake('plane')
  }

  isWhole(): boolean {
    const { serving } = this.arbiter
    if (serving === undefined || this.server(serving)?.mode !== 'live') return false
    const { role } = this.#hosts[other(serving)]
    return role instanceof Follower && role.isLive && this.arbiter.holders.has(other(serving))
  }

  difference(): string | undefined {
    const path = paths.find(
      (one) => textOf(this.tree('a').file(one)) !== textOf(this.tree('b').file(one)),
    )
    if (path === undefined) return undefined
    const [a, b] = nodeNames.map((name) => textOf(this.tree(name).file(path)))
    return `the trees differ: ${path} is ${a ?? ''} on a and ${b ?? ''} on b`
  }

  // Orders

  /** False: it died of it. */
  serve(name: NodeName): boolean {
    const host = this.#hosts[name]
    this.stopRole(name)
    this.note(name, `serves${host.lostPower ? ' what is left' : ''}`)
    const server = this.#begin(
      name,
      (parts) =>
        new Server(parts, name, {
          lost: (wasLive) => this.note(name, `the link is lost${wasLive ? ', changes wait' : ''}`),
          becameLive: () => this.note(name, 'its follower is live'),
        }),
    )
    if (server === undefined) return false
    host.role = server
    host.isClean = false
    this.truth.takenOver(name, host.lostPower, host.edited)
    host.edited.clear()
    host.lostPower = false
    return true
  }

  stopServing(name: NodeName): void {
    this.note(name, 'stops serving')
    this.stopRole(name)
    this.arbiter.died(name)
  }

  stopRole(name: NodeName): void {
    const host = this.#hosts[name]
    const { role } = host
    if (role === undefined || !this.isAble(name)) return
    role.stop()
    host.role = undefined
    host.isClean = role.isAlive
  }

  connect(name: NodeName, session: string, full: boolean): void {
    const server = this.server(name)
    const peer = other(name)
    if (server === undefined) return
    this.stopRole(peer)
    this.note(peer, 'follows')
    const isCurrent = (): void => {
      this.note(peer, 'is current')
      this.arbiter.holders.add(peer)
      this.#hosts[peer].lostPower = false
      this.#hosts[peer].edited.clear()
      this.truth.isCurrent(peer)
    }
    const follower = this.#begin(peer, (parts) => new Follower(parts, peer, { isCurrent }))
    if (follower === undefined) return
    this.#hosts[peer].role = follower
    this.#hosts[peer].isClean = false
    const link = new Link(name, session, {
      node: (one) => this.#hosts[one].node,
      passes: (from) => this.network.passes(from),
      received: (over, at, message) => {
        const { role } = this.#hosts[at]
        if (role?.link === over) role.received(message)
      },
      lost: (over, at) => {
        const { role } = this.#hosts[at]
        if (role?.link === over) role.lost(over)
      },
    })
    server.admitted(link)
    follower.connected(link)
    new Copy(server, follower, link, full)
  }

  // What happens to them

  /** The process dies, or the power is gone. */
  kill(name: NodeName, how: 'plane' | 'power'): void {
    const host = this.#hosts[name]
    const { node, role } = host
    if (!node.powered || (how === 'power' && host.hasClockMoved)) return
    this.note(name, how === 'power' ? 'power off' : 'the process dies')
    host.doom = undefined
    node.ends('plane')
    node.daemonRuns = false
    node.frozen = 'no'
    if (how === 'power') this.#cutPower(host)
    role?.link?.dies(name, how === 'power')
    host.role = undefined
    this.arbiter.died(name)
    if (how === 'plane')
      node.later('power', this.random.integer(100, 900), () => this.#restart(name))
  }

  powerOn(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.powered) return
    this.note(name, 'power on')
    node.powered = true
    this.#hosts[name].bootedAt = this.agenda.now
    this.#restart(name)
  }

  /** An operator changes a file of a node that was stopped in order. */
  edit(name: NodeName, change: Change): void {
    const { node, tree, role, isClean, edited } = this.#hosts[name]
    if (!node.powered || role !== undefined || !isClean || !tree.apply(change)) return
    if (change.kind === 'write') tree.set(change.path, [change.value, change.value, change.value])
    tree.syncAll()
    this.note(name, `somebody changes ${pathsOf(change).join(' and ')}`)
    for (const path of pathsOf(change)) edited.add(path)
  }

  /** Once at most while nobody is in charge: a clock that is right again tells nothing. */
  moveClock(name: NodeName, byMs: number): void {
    const host = this.#hosts[name]
    if (host.role !== undefined || host.hasClockMoved) return
    this.note(name, `the clock is set by ${byMs} ms`)
    host.hasClockMoved = true
    host.clockOffMs += byMs
  }

  freeze(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.powered && node.frozen === 'no') node.frozen = 'node'
  }

  thaw(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.frozen !== 'no') node.thaw()
  }

  doom(name: NodeName, steps: number, how: 'plane' | 'power'): void {
    this.#hosts[name].doom = { steps, how }
  }

  spare(name: NodeName): void {
    this.#hosts[name].doom = undefined
  }

  /** Only where another node has everything: what is on one disk alone, nobody can give back. */
  replaceDisk(name: NodeName): void {
    const { node, tree, store } = this.#hosts[name]
    if (node.powered || !this.arbiter.holders.has(other(name))) return
    this.note(name, 'disk replaced')
    this.arbiter.holders.delete(name)
    tree.restore(undefined)
    this.#hosts[name].edited.clear()
    store.restore(undefined)
  }

  /** A disk image is made of a node that was stopped in order. */
  keepImage(name: NodeName): void {
    const host = this.#hosts[name]
    if (host.node.powered || !host.isClean) return
    host.image = { tree: host.tree.image(), journal: host.store.image() }
  }

  /** The disk is as it was when its image was made: an old tree, with a journal that was right then. */
  rollBack(name: NodeName): void {
    const { node, tree, store, image } = this.#hosts[name]
    if (node.powered || image === undefined || !this.arbiter.holders.has(other(name))) return
    this.note(name, 'disk rolled back')
    this.arbiter.holders.delete(name)
    tree.restore(image.tree)
    this.#hosts[name].edited.clear()
    store.restore(image.journal)
  }

  /** Undefined: it died of it, or its journal has no room. */
  #begin<Role extends Server | Follower>(
    name: NodeName,
    begin: (parts: ProcessParts) => Role,
  ): Role | undefined {
    try {
      const role = begin(this.#parts(name))
      this.#hosts[name].hasClockMoved = false
      return role.isAlive ? role : undefined
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'E_RFS_JOURNAL') throw error
      this.note(name, error.message)
      return undefined
    }
  }

  #restart(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.powered) node.daemonRuns = true
  }

  #cutPower(host: Host): void {
    const { node, tree, store } = host
    node.ends('power')
    node.powered = false
    host.boots += 1
    host.lostPower ||= !host.isClean
    tree.losePower(this.random)
    store.losePower(this.random)
  }

  #step(name: NodeName): boolean {
    const host = this.#hosts[name]
    if (host.doom === undefined) return true
    host.doom.steps -= 1
    if (host.doom.steps > 0) return true
    this.options.coverage?.reached(`dies between two steps: ${host.doom.how}`)
    this.kill(name, host.doom.how)
    return false
  }

  #parts(name: NodeName): ProcessParts {
    const { node, tree, store } = this.#hosts[name]
    return {
      ...{ node, tree, store, rules: this.#rules },
      bootId: () => (this.#rules.knowsBoot ? `boot ${this.#hosts[name].boots}` : 'boot'),
      clock: () => this.#clock(name),
      step: () => this.#step(name),
      reached: (transition) => this.options.coverage?.reached(transition),
      note: (what) => this.note(name, what),
    }
  }

  #clock(name: NodeName): Moment {
    const { bootedAt, clockOffMs } = this.#hosts[name]
    const atMs = this.#timeOfDay(this.agenda.now, clockOffMs)
    // The known-bad variant: it is the same whatever the clock says.
    const bootedMs = this.#rules.knowsClock ? this.#timeOfDay(bootedAt, clockOffMs) : 1e15
    return { atMs, bootedMs }
  }

  #timeOfDay(at: number, offMs: number): number {
    return 1_000_000_000 + at + offMs
  }

  #host(name: NodeName): Host {
    const node = new SimNode(name, this)
    node.powered = true
    node.daemonRuns = true
    const clock = (): number => this.#clock(name).atMs
    const store = new SimStore(clock)
    const tree = new Tree(clock)
    return {
      node,
      tree,
      store,
      boots: 1,
      bootedAt: 0,
      clockOffMs: 0,
      hasClockMoved: false,
      edited: new Set(),
      lostPower: false,
      doom: undefined,
      role: undefined,
      isClean: true,
      image: undefined,
    }
  }
}
