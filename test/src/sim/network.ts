/**
 * The LANs between two nodes: heartbeats that can be lost, and one stream of messages, in order and at most once, whose
 * two ends notice its death at different times.
 */
import type { NodeName, SimNode } from './node.js'
import { nodeNames, other } from './node.js'
import { flowLan, lans, pulseMs, timeoutMs } from './setting.js'

export type Lan = (typeof lans)[number]

/** What the membership of a daemon tells its modules. */
export type PeerEvent = 'peerHeard' | 'peerSilent' | 'peerConnected' | 'peerDisconnected'

interface Stream {
  readonly id: number
  readonly lan: Lan
  readonly isOpen: Record<NodeName, boolean>
  readonly heardAt: Record<NodeName, number>
  readonly lastAt: Record<NodeName, number>
  /** Sent by this node, not arrived: TCP sends again as long as its ends believe in the stream. */
  readonly stuck: Record<NodeName, (() => void)[]>
}

interface Ear {
  verdict: 'undecided' | 'heard' | 'silent'
  heardAt: number
  /** After our own freeze the absence of heartbeats says nothing. */
  graceUntil: number
}

/**
 * What was sent before the way back was cut, and what TCP sends before it misses the first acknowledgement. After that it
 * sends again what it has sent already: a one-way cut soon silences a connection in both directions.
 */
const underWayMs = 600

/** Two pulses: one to be heard, one for what is said then. */
const calmMs = 2 * pulseMs

export interface NetworkHooks {
  node(name: NodeName): SimNode
  tell(node: NodeName, event: PeerEvent): void
  /** Since anything was heard of the peer's data plane; undefined: no link. */
  heardMsAgo(node: NodeName): number | undefined
}

export class Network {
  readonly #up: Record<NodeName, boolean>[] = lans.map(() => ({ a: true, b: true }))
  readonly #cutAt: Record<NodeName, number>[] = lans.map(() => ({ a: 0, b: 0 }))
  readonly loss: number[] = lans.map(() => 0)
  readonly #ears: Record<NodeName, Ear>
  #stream: Stream | undefined
  #dialling = false
  #disturbedAt = 0
  #streams = 0

  constructor(readonly hooks: NetworkHooks) {
    const ear = (): Ear => ({ verdict: 'undecided', heardAt: 0, graceUntil: 0 })
    this.#ears = { a: ear(), b: ear() }
  }

  /** Does what `from` sends on this LAN arrive? */
  passes(from: NodeName, lan: Lan): boolean {
    return this.#up[lan]?.[from] ?? false
  }

  flowPasses(from: NodeName): boolean {
    return this.passes(from, flowLan)
  }

  /** Does a connection on the LAN of the replication still bring anything new from `from`? */
  flowCarries(from: NodeName): boolean {
    return this.#carries(from, flowLan)
  }

  #carries(from: NodeName, lan: Lan): boolean {
    const back = other(from)
    if (!this.passes(from, lan)) return false
    const { now } = this.hooks.node(from).sim.agenda
    return this.passes(back, lan) || now - (this.#cutAt[lan]?.[back] ?? 0) < underWayMs
  }

  isWhole(): boolean {
    return lans.every((lan) => this.passes('a', lan) && this.passes('b', lan))
  }

  get isCutOff(): boolean {
    return !lans.some(
      (lan) => this.passes('a', lan) && this.passes('b', lan) && this.loss[lan] === 0,
    )
  }

  set(lan: Lan, from: NodeName, isUp: boolean): void {
    const up = this.#up[lan]
    if (up === undefined || up[from] === isUp) return
    up[from] = isUp
    const cutAt = this.#cutAt[lan]
    if (cutAt !== undefined && !isUp) cutAt[from] = this.hooks.node(from).sim.agenda.now
    this.#disturbedAt = this.hooks.node(from).sim.agenda.now
    if (isUp && this.#stream?.lan === lan) this.#flush(this.#stream, from)
  }

  /** Nothing changed on the way for long enough that both ends can know of each other. */
  get isCalm(): boolean {
    return this.hooks.node('a').sim.agenda.now - this.#disturbedAt > calmMs
  }

  /** Both daemons run, and each believes in the stream for good reason. */
  talks(): boolean {
    const stream = this.#stream
    if (stream === undefined || !stream.isOpen.a || !stream.isOpen.b) return false
    const isUp = this.passes('a', stream.lan) && this.passes('b', stream.lan)
    return isUp && nodeNames.every((name) => this.hooks.node(name).isAwake('daemon'))
  }

  /** The daemon of a node begins: it knows nothing, and sends its heartbeats. */
  begin(name: NodeName): void {
    const node = this.hooks.node(name)
    this.#ears[name] = { verdict: 'undecided', heardAt: node.sim.agenda.now, graceUntil: 0 }
    node.later('daemon', node.sim.random.integer(1, pulseMs / 4), () => this.#pulse(node))
  }

  /** The daemon died. With its node's power on, the kernel closes its end, which the peer hears if it can. */
  end(name: NodeName, isQuiet: boolean): void {
    const stream = this.#stream
    if (stream?.isOpen[name] === true) this.#close(stream, name, isQuiet)
  }

  thawed(name: NodeName): void {
    const { now } = this.hooks.node(name).sim.agenda
    this.#ears[name].graceUntil = now + 3 * pulseMs
    this.#disturbedAt = now
  }

  /** False: not connected, or as far as this end knows. */
  send(from: NodeName, deliver: () => void): boolean {
    const stream = this.#stream
    if (stream?.isOpen[from] !== true) return false
    const { sim } = this.hooks.node(from)
    const arrival = Math.max(sim.agenda.now + sim.random.integer(1, 40), stream.lastAt[from])
    stream.lastAt[from] = arrival
    sim.agenda.after(arrival - sim.agenda.now, () => {
      const isBlocked = stream.stuck[from].length > 0 || !this.passes(from, stream.lan)
      if (isBlocked) stream.stuck[from].push(deliver)
      else this.#arrive(stream, from, deliver)
    })
    return true
  }

  #arrive(stream: Stream, from: NodeName, deliver: () => void): void {
    const to = other(from)
    // What waits for a frozen receiver is handed over when it goes on, if the stream is still believed in then.
    this.hooks.node(to).later('daemon', 0, () => {
      if (stream.isOpen[to]) deliver()
    })
  }

  #flush(stream: Stream, from: NodeName): void {
    for (const deliver of stream.stuck[from].splice(0)) this.#arrive(stream, from, deliver)
  }

  #pulse(node: SimNode): void {
    node.later('daemon', pulseMs, () => this.#pulse(node))
    this.#beat(node)
    this.#keepStream(node)
    this.#judge(node)
    if (node.name === 'b' && this.hooks.node('a').isAwake('daemon')) this.#dial()
  }

  #beat(node: SimNode): void {
    const { random } = node.sim
    const peer = this.hooks.node(other(node.name))
    for (const lan of lans) {
      if (!this.passes(node.name, lan) || random.chance(this.loss[lan] ?? 0)) continue
      peer.later('daemon', random.integer(1, 40), () => this.#hear(peer))
    }
  }

  #hear(node: SimNode): void {
    const ear = this.#ears[node.name]
    ear.heardAt = node.sim.agenda.now
    if (ear.verdict === 'heard') return
    ear.verdict = 'heard'
    this.hooks.tell(node.name, 'peerHeard')
  }

  /** Silence counts only when the replication link is silent as well. */
  #judge(node: SimNode): void {
    const ear = this.#ears[node.name]
    const { now } = node.sim.agenda
    if (now - ear.heardAt <= timeoutMs || now < ear.graceUntil) return
    const linkMs = this.hooks.heardMsAgo(node.name)
    if (linkMs !== undefined && linkMs <= timeoutMs) {
      // A link that was silent is heard again.
      if (ear.verdict === 'silent') this.hooks.tell(node.name, 'peerHeard')
      ear.verdict = 'heard'
      return
    }
    if (ear.verdict === 'silent') return
    ear.verdict = 'silent'
    this.hooks.tell(node.name, 'peerSilent')
  }

  #keepStream(node: SimNode): void {
    const stream = this.#stream
    if (stream?.isOpen[node.name] !== true) return
    const { now } = node.sim.agenda
    const peer = other(node.name)
    const isHeard =
      this.#carries(peer, stream.lan) &&
      stream.isOpen[peer] &&
      this.hooks.node(peer).isAwake('daemon')
    if (isHeard) {
      stream.heardAt[node.name] = now
      this.#hear(node)
    } else if (now - stream.heardAt[node.name] > node.sim.random.integer(2_000, timeoutMs)) {
      this.#close(stream, node.name, false)
      this.hooks.tell(node.name, 'peerDisconnected')
    }
  }

  #close(stream: Stream, name: NodeName, isQuiet: boolean): void {
    stream.isOpen[name] = false
    stream.stuck[name].length = 0
    const peer = this.hooks.node(other(name))
    if (isQuiet || !stream.isOpen[peer.name] || !this.passes(name, stream.lan)) return
    peer.later('daemon', peer.sim.random.integer(1, 50), () => this.#lose(stream, peer.name))
  }

  #lose(stream: Stream, name: NodeName): void {
    if (!stream.isOpen[name]) return
    this.#close(stream, name, true)
    this.hooks.tell(name, 'peerDisconnected')
  }

  #dial(): void {
    const stream = this.#stream
    if (this.#dialling || (stream?.isOpen.a === true && stream.isOpen.b)) return
    const lan = lans.find((one) => this.passes('a', one) && this.passes('b', one))
    if (lan === undefined) return
    this.#dialling = true
    const { sim } = this.hooks.node('a')
    sim.agenda.after(sim.random.integer(1, 200), () => {
      this.#dialling = false
      const isPossible = nodeNames.every((name) => this.hooks.node(name).isAwake('daemon'))
      if (isPossible && this.passes('a', lan) && this.passes('b', lan)) this.#connect(lan)
    })
  }

  /** A new stream takes the place of one that an end still believed in. */
  #connect(lan: Lan): void {
    const old = this.#stream
    const { now } = this.hooks.node('a').sim.agenda
    this.#streams += 1
    const stream: Stream = {
      id: this.#streams,
      lan,
      isOpen: { a: true, b: true },
      heardAt: { a: now, b: now },
      lastAt: { a: now, b: now },
      stuck: { a: [], b: [] },
    }
    this.#stream = stream
    this.#disturbedAt = now
    for (const name of nodeNames) {
      if (old !== undefined) this.#lose(old, name)
      this.hooks.tell(name, 'peerConnected')
    }
  }
}
