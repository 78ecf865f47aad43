/** One stream to each other node. The node whose name sorts first dials; the other one listens on all its LANs. */
import type { TLSSocket } from 'node:tls'
import {
  assert,
  type Cancel,
  type Clock,
  done,
  type Log,
  refused,
  type Verdict,
} from '@holdfast/sdk'
import type { AddressBook } from './addresses.js'
import type { Incarnation } from './incarnation.js'
import { dialTimeoutMs, Link } from './link.js'
import { Listener } from './listener.js'
import type { LogGate } from './log-gate.js'
import {
  commonLans,
  type Credentials,
  entryOf,
  type Lan,
  type NetworkSettings,
  othersOf,
} from './settings.js'
import { Stream } from './stream.js'
import { createMemberServer, dialMember, joinProtocol, memberOf } from './tls.js'
import { type Codec, type Frame, type Hello, protocol } from './wire.js'

const bareConnectionsMax = 16

export interface TransportOptions {
  readonly clock: Clock
  readonly log: Log
  readonly gate: LogGate
  readonly addresses: AddressBook
  readonly codec: Codec
  readonly credentials: Credentials
  readonly incarnation: Incarnation
  readonly version: string
  /** False: a later incarnation of this node was met already. */
  readonly prove: (node: string, incarnation: Incarnation) => boolean
  /** Do heartbeats pass in both directions? */
  readonly carries: (node: string, lan: string) => boolean
  readonly onConnected: (node: string) => void
  readonly onDisconnected: (node: string) => void
  readonly onFrame: (node: string, frame: Frame) => void
  /** A connection without certificate that wants to join. The callee owns and ends it. */
  readonly onJoin: (socket: TLSSocket) => void
}

export class Transport {
  private readonly links = new Map<string, Link>()
  private readonly listeners = new Map<string, { key: string; listener: Listener }>()
  /** Accepted and not greeted yet. */
  private readonly strangers = new Map<Stream, Cancel>()
  private bareConnections = 0
  private stopped = false

  constructor(
    private settings: NetworkSettings,
    private readonly options: TransportOptions,
  ) {
    this.configure(settings)
  }

  /** Streams and listeners on LANs that stay as they are go on. */
  configure(settings: NetworkSettings): void {
    this.settings = settings
    this.openListeners()
    const others = othersOf(settings)
    for (const link of [...this.links.values()]) {
      if (!others.includes(link.node)) this.forget(link)
      else if (!this.isOnLan(link)) {
        link.stream?.dismiss('E_PEER_LAN', 'the LAN of this connection is no longer configured')
      }
    }
    for (const node of others) {
      if (this.links.has(node)) continue
      const link = this.linkTo(node)
      this.links.set(node, link)
      link.begin()
    }
  }

  send(node: string, frame: Frame): boolean {
    return this.links.get(node)?.stream?.send(frame) ?? false
  }

  isConnected(node: string): boolean {
    return this.links.get(node)?.stream?.isOpen ?? false
  }

  /** Undefined: no open stream. */
  heard(node: string): { readonly lan: string; readonly heardMs: number } | undefined {
    const stream = this.links.get(node)?.stream
    return stream?.isOpen === true ? { lan: stream.lan, heardMs: stream.heardMs } : undefined
  }

  /** What the present stream's other side said of itself; undefined: no stream. */
  hello(node: string): Hello | undefined {
    return this.links.get(node)?.hello
  }

  isListening(lan: string): boolean {
    return this.listeners.get(lan)?.listener.isOpen ?? false
  }

  /** What is known of the LANs may have changed. */
  tick(): void {
    for (const link of [...this.links.values()]) link.tick()
  }

  close(node: string, cause: string): void {
    this.links.get(node)?.stream?.close(cause)
  }

  stop(): void {
    this.stopped = true
    for (const { listener } of this.listeners.values()) listener.close()
    this.listeners.clear()
    for (const stream of this.strangers.keys()) stream.close('this node stops')
    for (const link of [...this.links.values()]) this.forget(link)
  }

  private forget(link: Link): void {
    this.links.delete(link.node)
    link.end('E_PEER_LEAVES', `${this.settings.self} ends the connection`)
  }

  private linkTo(node: string): Link {
    const { clock, gate, log, carries } = this.options
    return new Link(node, {
      ...{ clock, gate, dials: this.settings.self < node },
      lans: () =>
        commonLans(this.settings, node).map(({ name }) => ({ name, carries: carries(node, name) })),
      connect: (lan) => this.connect(node, lan),
      greet: (socket, lan, onNever) => this.greet(socket, lan, node, onNever),
      onDisconnected: (lan, cause) => {
        if (!this.stopped) log.write('event', 'peerDisconnected', { node, lan, cause })
        this.options.onDisconnected(node)
      },
    })
  }

  private isOnLan(link: Link): boolean {
    const lans = commonLans(this.settings, link.node)
    return link.stream === undefined || lans.some((lan) => lan.name === link.stream?.lan)
  }

  private openListeners(): void {
    const { clock, gate, addresses, credentials } = this.options
    const wanted = new Map<string, { key: string; lan: Lan; host: string }>()
    for (const lan of this.settings.lans) {
      const own = entryOf(lan, this.settings.self)
      if (own === undefined) continue
      const host = own.laddr ?? own.addr
      wanted.set(lan.name, { key: `${host} ${String(lan.port)}`, lan, host })
    }
    for (const [name, { key, listener }] of this.listeners) {
      if (wanted.get(name)?.key === key) continue
      listener.close()
      this.listeners.delete(name)
    }
    for (const [name, { key, lan, host }] of wanted) {
      if (this.listeners.has(name)) continue
      const listener = new Listener({
        ...{ lan: name, port: lan.port, clock, gate },
        address: () => addresses.resolved(host),
        create: () => createMemberServer(credentials),
        onConnection: (on, socket) => {
          this.onConnection(on, socket)
        },
      })
      this.listeners.set(name, { key, listener })
    }
  }

  private onConnection(lan: string, socket: TLSSocket): void {
    const from = socket.remoteAddress ?? 'unknown'
    if (this.stopped) socket.destroy()
    else if (socket.alpnProtocol === joinProtocol) this.onBareConnection(socket)
    else this.onMember(lan, socket, from)
  }

  private onBareConnection(socket: TLSSocket): void {
    if (this.bareConnections >= bareConnectionsMax) {
      socket.destroy()
      return
    }
    this.bareConnections++
    socket.once('close', () => this.bareConnections--)
    this.options.onJoin(socket)
  }

  private onMember(lan: string, socket: TLSSocket, from: string): void {
    const { gate } = this.options
    const node = memberOf(socket, this.settings.cluster)
    const cause = this.causeToRefuse(node)
    if (node === undefined || cause !== undefined) {
      gate.write('warning', 'connectionRefused', from, { lan, from, cause })
      socket.on('error', () => undefined) // It is refused: how it ends does not matter.
      socket.destroy()
      return
    }
    const stream = this.greet(socket, lan, node, (why) => {
      this.acquaint(stream)
      gate.write('warning', 'connectionRefused', from, { lan, from, node, cause: why })
    })
    const cancel = this.options.clock.after(dialTimeoutMs, () => {
      stream.close('no greeting in time')
    })
    this.strangers.set(stream, cancel)
  }

  private causeToRefuse(node: string | undefined): string | undefined {
    if (node === undefined) return 'its certificate is not of this cluster'
    if (!this.links.has(node)) return `${node} is not a node of this cluster`
    return this.settings.self < node ? `${node} has to wait until this node dials` : undefined
  }

  private acquaint(stream: Stream): void {
    this.strangers.get(stream)?.()
    this.strangers.delete(stream)
  }

  /** Undefined: an address is not resolved, or the LAN is no longer there. */
  private connect(node: string, lanName: string): TLSSocket | undefined {
    const { addresses, credentials } = this.options
    const { cluster, self } = this.settings
    const lan = commonLans(this.settings, node).find(({ name }) => name === lanName)
    const remote = lan === undefined ? undefined : entryOf(lan, node)
    const own = lan === undefined ? undefined : entryOf(lan, self)
    const address = remote === undefined ? undefined : addresses.resolved(remote.addr)
    const localAddress = own === undefined ? undefined : addresses.resolved(own.laddr ?? own.addr)
    if (lan === undefined || address === undefined || localAddress === undefined) return undefined
    return dialMember({ cluster, node, address, port: lan.port, localAddress }, credentials)
  }

  /** `onNever` is called when the stream ends before it opened. */
  private greet(
    socket: TLSSocket,
    lan: string,
    node: string,
    onNever: (cause: string) => void,
  ): Stream {
    let link: Link | undefined
    const { codec, clock } = this.options
    return new Stream(socket, {
      ...{ lan, codec, clock, hello: this.ownHello() },
      judge: (hello) => this.judge(hello, node),
      onOpen: (stream, hello) => {
        link = this.links.get(node)
        assert(link !== undefined, 'a greeting is accepted only from a configured node')
        this.onOpen(stream, link, hello)
      },
      onFrame: (stream, frame) => {
        if (this.links.get(node)?.stream === stream) this.options.onFrame(node, frame)
      },
      onClose: (stream, cause) => {
        if (link === undefined) onNever(cause)
        else link.closed(stream, cause)
      },
    })
  }

  private ownHello(): Hello {
    const { cluster, self: node, revision } = this.settings
    const { incarnation, version } = this.options
    return { kind: 'hello', protocol, cluster, node, incarnation, revision, version }
  }

  private judge(hello: Hello, node: string): Verdict {
    if (hello.protocol.major > protocol.major) {
      const spoken = `${String(hello.protocol.major)}.${String(hello.protocol.minor)}`
      const own = `${String(protocol.major)}.${String(protocol.minor)}`
      this.options.gate.write('critical', 'peerProtocolNewer', node, { node, spoken, own })
      return refused('E_PEER_PROTOCOL', `${node} speaks protocol ${spoken}, this node ${own}`)
    }
    if (hello.node !== node || hello.cluster !== this.settings.cluster) {
      return refused('E_PEER_IDENTITY', `the greeting is not that of ${node} in this cluster`)
    }
    if (!this.links.has(node)) {
      return refused('E_PEER_UNKNOWN', `${node} is not a node of this cluster`)
    }
    if (!this.options.prove(node, hello.incarnation)) {
      return refused('E_PEER_GHOST', `a later run of ${node} is known already`)
    }
    return done
  }

  private onOpen(stream: Stream, link: Link, hello: Hello): void {
    this.acquaint(stream)
    link.opened(stream, hello)
    const { node } = link
    const { version } = hello
    this.options.log.write('event', 'peerConnected', { node, lan: stream.lan, version })
    this.options.onConnected(node)
  }
}
