/**
 * Two nodes that run the product's own mirror machine in a simulated world: time, network, disks, processes,
 * replication and a witness. It checks the two promises at every step.
 */
import {
  type Action,
  type Event,
  initialState,
  type Memory,
  type MirrorConfig,
  nothingKnown,
  type State,
  step,
} from '@holdfast/plugin-mirror'
import { done, refused } from '@holdfast/sdk'
import { Random } from './random.js'

export interface WorldOptions {
  readonly seed: number
  readonly witness: boolean
  readonly isolation: 'alone' | 'wait'
  readonly defaultprim: string
}

interface Link {
  readonly epoch: number
  readonly server: string
  stage: 'copying' | 'live'
}

interface SimNode {
  readonly name: string
  powered: boolean
  daemon: boolean
  /** What survives everything. */
  disk: Memory | undefined
  /** What survives the daemon's death. */
  runtime: State | undefined
  state: State
  /** Every write that this copy of the data has. */
  data: Set<number>
  /** The application runs, from its start to the end of its stop. */
  app: boolean
  /** How the data plane treats a write. */
  writes: 'closed' | 'alone' | 'live' | 'held'
  admitted: number | undefined
  following: number | undefined
  /** Counts power cycles and daemon starts: what was under way before is gone. */
  life: number
  timer: number
}

const timeoutMs = 5_000

export class World {
  readonly random: Random
  readonly options: WorldOptions
  readonly nodes: Record<string, SimNode> = {}
  readonly trace: string[] = []
  readonly acknowledged = new Set<number>()
  violation: string | undefined
  now = 0
  #queue: { at: number; order: number; run: () => void }[] = []
  #order = 0
  #writes = 0
  #cut = false
  #connection = 0
  #connected = false
  #link: Link | undefined
  #granted = new Map<number, string>()

  constructor(options: WorldOptions) {
    this.options = options
    this.random = new Random(options.seed)
    for (const name of ['a', 'b']) this.nodes[name] = this.#blank(name)
  }

  /** Boots both nodes, makes `a` the first primary, and waits until the pair is whole. */
  form(): void {
    for (const name of ['a', 'b']) this.powerOn(name)
    this.run(1_000)
    this.command('a', 'prim')
    this.command('b', 'start')
    this.run(20_000)
  }

  run(forMs: number): void {
    const end = this.now + forMs
    while (this.violation === undefined) {
      let first = -1
      this.#queue.forEach((entry, index) => {
        const best = this.#queue[first]
        if (
          best === undefined ||
          entry.at < best.at ||
          (entry.at === best.at && entry.order < best.order)
        )
          first = index
      })
      const entry = this.#queue[first]
      if (entry === undefined || entry.at > end) break
      this.#queue.splice(first, 1)
      this.now = entry.at
      entry.run()
    }
    this.now = end
  }

  node(name: string): SimNode {
    const node = this.nodes[name]
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  role(name: string): string {
    const node = this.node(name)
    return node.powered ? node.state.place.role : 'off'
  }

  /** One client request to whoever runs the application. */
  write(): void {
    for (const name of ['a', 'b']) {
      const node = this.node(name)
      if (!node.powered || !node.app) continue
      if (node.writes !== 'alone' && node.writes !== 'live') continue
      const id = ++this.#writes
      node.data.add(id)
      if (node.writes === 'alone') this.#acknowledge(name, id)
      else if (this.#reaches() && this.#link?.stage === 'live') {
        this.node(other(name)).data.add(id)
        this.#acknowledge(name, id)
      }
    }
  }

  command(
    name: string,
    command: 'start' | 'stop' | 'stopstart' | 'swap' | 'prim' | 'second',
    full = false,
  ): void {
    const node = this.node(name)
    if (!node.powered || !node.daemon) return
    this.#note(`${name}: ${command}`)
    this.#deliver(name, {
      kind: 'commanded',
      command,
      full,
      identity: undefined,
      cause: 'operator',
      wallMs: this.now,
      ticket: 0,
    })
  }

  powerOff(name: string): void {
    const node = this.node(name)
    if (!node.powered) return
    this.#note(`${name}: power off`)
    this.#breakLink('power off')
    if (node.following !== undefined && node.disk?.data === 'partial') this.#garble(node)
    Object.assign(node, {
      powered: false,
      daemon: false,
      app: false,
      writes: 'closed',
      runtime: undefined,
    })
    node.admitted = undefined
    node.following = undefined
    node.life += 1
    this.#network()
  }

  powerOn(name: string): void {
    const node = this.node(name)
    if (node.powered) return
    this.#note(`${name}: power on`)
    node.powered = true
    node.daemon = true
    node.state = this.#boot(node)
    this.#network()
  }

  killDaemon(name: string): void {
    const node = this.node(name)
    if (!node.powered || !node.daemon) return
    this.#note(`${name}: daemon killed`)
    node.daemon = false
    node.life += 1
    this.#network()
    const { life } = node
    this.#at(this.random.integer(200, 1_500), () => {
      if (node.powered && node.life === life) this.#restartDaemon(name)
    })
  }

  cut(isCut: boolean): void {
    if (this.#cut === isCut) return
    this.#note(isCut ? 'cable cut' : 'cable healed')
    this.#cut = isCut
    if (isCut) this.#breakLink('cable cut')
    this.#network()
  }

  /** Everything works again; both modules are started. */
  heal(): void {
    this.cut(false)
    for (const name of ['a', 'b']) {
      this.powerOn(name)
      if (!this.node(name).daemon) this.#restartDaemon(name)
    }
    this.run(2_000)
    for (const name of ['a', 'b']) this.command(name, 'start')
  }

  #restartDaemon(name: string): void {
    const node = this.node(name)
    if (node.daemon) return
    node.daemon = true
    const kept = node.runtime ?? this.#boot(node)
    node.state = { ...kept, peer: nothingKnown }
    this.#note(`${name}: daemon back as ${node.state.place.role}`)
    this.#deliver(name, { kind: 'adopted' })
    const link = this.#link
    const wasLive = node.writes === 'held'
    if (link === undefined && wasLive && node.admitted !== undefined) {
      this.#soon(name, {
        kind: 'linkLost',
        epoch: node.admitted,
        cause: 'while the daemon was away',
      })
    }
    if (link === undefined && node.following !== undefined) {
      this.#soon(name, {
        kind: 'linkLost',
        epoch: node.following,
        cause: 'while the daemon was away',
      })
    }
    if (link !== undefined && link.stage === 'live' && link.server === name) {
      this.#soon(name, { kind: 'copyFinished', epoch: link.epoch })
    }
    this.#network()
  }

  #boot(node: SimNode): State {
    const fresh = initialState(this.#config(node.name), this.random.integer(1, 1 << 20) * 1_000)
    return { ...fresh, memory: node.disk ?? fresh.memory }
  }

  #config(self: string): MirrorConfig {
    return {
      self,
      peer: other(self),
      defaultprim: this.options.defaultprim,
      failover: true,
      maxloop: 3,
      loopIntervalMs: 86_400_000,
      isolation: this.options.isolation,
      hasWitness: this.options.witness,
      hasReplica: true,
      timeoutMs,
    }
  }

  #blank(name: string): SimNode {
    return {
      name,
      powered: false,
      daemon: false,
      disk: undefined,
      runtime: undefined,
      state: initialState(this.#config(name), 0),
      data: new Set(),
      app: false,
      writes: 'closed',
      admitted: undefined,
      following: undefined,
      life: 0,
      timer: 0,
    }
  }

  /** One event through the machine, its actions in their order; a power cut may come between any two. */
  #deliver(name: string, event: Event): void {
    const node = this.node(name)
    if (!node.powered || !node.daemon || this.violation !== undefined) return
    const before = node.state.place.role
    const { next, actions } = step(node.state, event)
    node.state = next
    if (event.kind !== 'told')
      this.#note(`${name}: ${event.kind}${'epoch' in event ? ` ${String(event.epoch)}` : ''}`)
    if (before !== next.place.role)
      this.#note(`${name}: ${before} → ${next.place.role} (${next.cause})`)
    // As in the driver: the place is kept before its actions are carried out.
    node.runtime = next
    for (const action of actions) {
      if (this.#dying && this.random.chance(0.004)) {
        if (this.random.chance(0.5)) {
          this.killDaemon(name)
          return
        }
        this.powerOff(name)
        this.#at(this.random.integer(1_000, 20_000), () => {
          this.powerOn(name)
          this.#at(100, () => this.command(name, 'start'))
        })
        return
      }
      this.#act(node, action)
    }
  }

  #dying = false

  /** From now on a node may lose power between any two of its actions. */
  mayDie(dying: boolean): void {
    this.#dying = dying
  }

  #act(node: SimNode, action: Action): void {
    const { name } = node
    switch (action.kind) {
      case 'persist':
        node.disk = action.memory
        return
      case 'tell': {
        if (!this.#connected) return
        const connection = this.#connection
        const { message } = action
        this.#fifo(name, () => {
          if (connection !== this.#connection || !this.#connected) return
          this.#note(`${other(name)}: told ${message.kind}`)
          this.#deliver(other(name), { kind: 'told', message })
        })
        return
      }
      case 'enter':
        if (action.to === 'alone') this.#startServing(node)
        this.#later(node, this.random.integer(10, 800), {
          kind: 'entered',
          epoch: action.epoch,
          verdict:
            this.#dying && this.random.chance(0.02) ? refused('E_TEST', 'start failed') : done,
          wallMs: this.now,
        })
        return
      case 'leave': {
        const { life } = node
        this.#at(this.random.integer(10, 2_000), () => {
          if (!node.powered || node.life !== life) return
          if (action.from === 'alone' || action.from === 'prim') this.#stopServing(node)
          this.#deliver(name, { kind: 'left', epoch: action.epoch, verdict: done })
        })
        return
      }
      case 'claim':
        this.#claim(node, action.epoch, action.generation)
        return
      case 'admit':
        node.admitted = action.epoch
        this.#breakLink('new admission')
        this.#later(node, 5, { kind: 'admitDone', epoch: action.epoch, verdict: done })
        return
      case 'follow':
        node.following = action.epoch
        this.#copy(node, action.epoch)
        return
      case 'unfollow':
        if (this.#link !== undefined && this.#link.server !== name) this.#breakLink('unfollow')
        node.following = undefined
        return
      case 'detach':
        if (node.writes !== 'closed') node.writes = 'alone'
        return
      case 'restart':
        this.#later(node, 50, {
          kind: 'restarted',
          epoch: action.epoch,
          verdict: done,
          wallMs: this.now,
        })
        return
      case 'arm': {
        const timer = ++node.timer
        const { life } = node
        this.#at(action.delayMs, () => {
          if (node.timer === timer && node.life === life)
            this.#deliver(name, { kind: 'timeUp', epoch: action.epoch })
        })
        return
      }
      case 'shift':
      case 'answer':
        return
    }
  }

  #startServing(node: SimNode): void {
    if (node.app) return
    const peer = this.node(other(node.name))
    const lost = [...this.acknowledged].filter((id) => !node.data.has(id))
    if (lost.length > 0)
      this.#violate(`${node.name} serves without ${String(lost.length)} acknowledged writes`)
    // A node that is cut off is stopping; what it must not do is acknowledge. See #acknowledge.
    if (peer.powered && peer.app && this.#reaches()) this.#violate(`the application runs on both`)
    node.app = true
    node.writes = 'alone'
  }

  #stopServing(node: SimNode): void {
    if (this.#link?.server === node.name) this.#breakLink('unserve')
    node.app = false
    node.writes = 'closed'
    node.admitted = undefined
  }

  #acknowledge(by: string, id: number): void {
    this.acknowledged.add(id)
    const peer = this.node(other(by))
    const twoGoOn = peer.powered && peer.app && (peer.writes === 'alone' || peer.writes === 'live')
    if (twoGoOn) this.#violate(`${by} acknowledged while ${peer.name} acknowledges too`)
  }

  #claim(node: SimNode, epoch: number, generation: number): void {
    const { life } = node
    this.#at(this.random.integer(5, 200), () => {
      if (!node.powered || node.life !== life) return
      const holder = this.#granted.get(generation)
      const newest = Math.max(0, ...this.#granted.keys())
      const free = holder === undefined && generation > newest
      if (free) this.#granted.set(generation, node.name)
      const claim = free || holder === node.name ? 'granted' : 'refused'
      this.#deliver(node.name, { kind: 'claimed', epoch, claim })
    })
  }

  #copy(follower: SimNode, epoch: number): void {
    const server = this.node(other(follower.name))
    const { life } = follower
    this.#at(5, () => {
      if (follower.life !== life || follower.following !== epoch) return
      if (!this.#reaches() || server.admitted !== epoch || server.writes === 'closed') {
        this.#deliver(follower.name, { kind: 'linkLost', epoch, cause: 'could not connect' })
        return
      }
      const link: Link = { epoch, server: server.name, stage: 'copying' }
      this.#link = link
      this.#at(this.random.integer(50, 3_000), () => {
        if (this.#link !== link || server.writes === 'closed') return
        follower.data = new Set(server.data)
        link.stage = 'live'
        server.writes = 'live'
        this.#soon(server.name, { kind: 'copyFinished', epoch })
        this.#soon(follower.name, { kind: 'copyFinished', epoch })
      })
    })
  }

  #breakLink(cause: string): void {
    const link = this.#link
    if (link === undefined) return
    this.#link = undefined
    const server = this.node(link.server)
    const follower = this.node(other(link.server))
    if (link.stage === 'copying') this.#garble(follower)
    if (link.stage === 'live' && server.writes === 'live') server.writes = 'held'
    this.#soon(server.name, { kind: 'linkLost', epoch: link.epoch, cause })
    this.#soon(follower.name, { kind: 'linkLost', epoch: link.epoch, cause })
  }

  /** An interrupted copy is neither the old nor the new tree. */
  #garble(node: SimNode): void {
    for (const id of [...node.data]) if (this.random.chance(0.5)) node.data.delete(id)
  }

  #reaches(): boolean {
    return !this.#cut && this.node('a').powered && this.node('b').powered
  }

  #silence = 0

  /** Brings streams and heartbeats in line with what is up. */
  #network(): void {
    const up = this.#reaches() && this.node('a').daemon && this.node('b').daemon
    if (up && !this.#connected) {
      this.#connected = true
      const connection = ++this.#connection
      this.#silence += 1
      for (const name of ['a', 'b']) {
        this.#at(this.random.integer(1, 300), () => {
          if (connection !== this.#connection || !this.#connected) return
          this.#deliver(name, { kind: 'peerHeard' })
          this.#deliver(name, { kind: 'peerConnected' })
        })
      }
    } else if (!up) {
      const was = this.#connected
      this.#connected = false
      this.#connection += 1
      const silence = ++this.#silence
      for (const name of ['a', 'b']) {
        const node = this.node(name)
        const { life } = node
        if (was)
          this.#at(this.random.integer(1, 50), () =>
            this.#deliver(name, { kind: 'peerDisconnected' }),
          )
        this.#at(timeoutMs + this.random.integer(0, 400), () =>
          this.#fallSilent(node, life, silence),
        )
      }
    }
  }

  #fallSilent(node: SimNode, life: number, silence: number): void {
    if (this.#silence !== silence || node.life !== life) return
    // As in the driver: a live link is evidence of life.
    if (this.#link !== undefined) {
      this.#at(1_000, () => this.#fallSilent(node, life, silence))
      return
    }
    this.#deliver(node.name, { kind: 'peerSilent' })
  }

  #lastAt: Record<string, number> = {}

  /** Messages of one stream arrive in order. */
  #fifo(from: string, run: () => void): void {
    const at = Math.max(this.now + this.random.integer(1, 40), this.#lastAt[from] ?? 0)
    this.#lastAt[from] = at
    this.#at(at - this.now, run)
  }

  #soon(name: string, event: Event): void {
    this.#later(this.node(name), this.random.integer(1, 60), event)
  }

  #later(node: SimNode, delayMs: number, event: Event): void {
    const { life } = node
    this.#at(delayMs, () => {
      if (node.powered && node.life === life) this.#deliver(node.name, event)
    })
  }

  #at(delayMs: number, run: () => void): void {
    this.#queue.push({ at: this.now + delayMs, order: ++this.#order, run })
  }

  #violate(what: string): void {
    this.violation ??= what
    this.#note(`VIOLATION: ${what}`)
  }

  #note(line: string): void {
    this.trace.push(`${String(this.now).padStart(7)} ${line}`)
    if (this.trace.length > 400) this.trace.shift()
  }
}

export function other(name: string): string {
  return name === 'a' ? 'b' : 'a'
}
