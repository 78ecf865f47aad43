/**
 * One stream to each other node. The node whose name sorts first dials, over the first LAN that works; the other one
 * listens on all its LANs.
 */
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

const backOffMinMs = 50
const backOffMaxMs = 1_000
/** From the start of a dial to the greeting of the other side. */
const dialTimeoutMs = 5_000
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
  readonly isLanUp: (node: string, lan: string) => boolean
  readonly onConnected: (node: string) => void
  readonly onDisconnected: (node: string) => void
  readonly onFrame: (node: string, frame: Frame) => void
  /** A connection without certificate that wants to join. The callee owns and ends it. */
  readonly onJoin: (socket: TLSSocket) => void
}

interface Link {
  readonly node: string
  /** The open stream. */
  stream: Stream | undefined
  hello: Hello | undefined
  /** The connection that is being dialled or greeted by us. */
  pending: Stream | TLSSocket | undefined
  attempts: number
  cancelTimer: Cancel
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
      const idle = { stream: undefined, hello: undefined, pending: undefined }
      const link: Link = { node, ...idle, attempts: 0, cancelTimer: () => undefined }
      this.links.set(node, link)
      if (settings.self < node) this.dial(link)
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
    const link = this.links.get(node)
    return link?.stream === undefined ? undefined : link.hello
  }

  isListening(lan: string): boolean {
    return this.listeners.get(lan)?.listener.isOpen ?? false
  }

  /** A LAN went down: a stream on it moves at once when another LAN works. */
  lanWentDown(node: string, lan: string): void {
    const stream = this.links.get(node)?.stream
    if (stream?.lan !== lan || this.settings.self > node) return
    const hasOther = commonLans(this.settings, node).some(
      (one) => one.name !== lan && this.options.isLanUp(node, one.name),
    )
    if (hasOther) stream.close(`LAN ${lan} is down and another one is up`)
  }

  /** A LAN went up: whoever waits to dial again tries at once, the preferred LAN first. */
  lanWentUp(node: string): void {
    const link = this.links.get(node)
    if (link === undefined || link.stream !== undefined || link.pending !== undefined) return
    if (this.stopped || this.settings.self > node) return
    link.cancelTimer()
    link.attempts = 0
    this.dial(link)
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
    link.cancelTimer()
    if (link.pending instanceof Stream) link.pending.close('no longer wanted')
    else link.pending?.destroy()
    link.stream?.dismiss('E_PEER_LEAVES', `${this.settings.self} ends the connection`)
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

  private dial(link: Link): void {
    const lan = this.lanToDial(link)
    const { addresses, credentials, clock } = this.options
    const remote = lan === undefined ? undefined : entryOf(lan, link.node)
    const own = lan === undefined ? undefined : entryOf(lan, this.settings.self)
    const address = remote === undefined ? undefined : addresses.resolved(remote.addr)
    const localAddress = own === undefined ? undefined : addresses.resolved(own.laddr ?? own.addr)
    if (lan === undefined || address === undefined || localAddress === undefined) {
      this.dialLater(link, 'its address is not resolved')
      return
    }
    const { cluster } = this.settings
    const target = { cluster, node: link.node, address, port: lan.port, localAddress }
    const socket = dialMember(target, credentials)
    link.pending = socket
    const fail = (error: Error): void => {
      socket.destroy()
      if (link.pending === socket) this.dialLater(link, error.message, lan.name)
    }
    socket.on('error', fail)
    link.cancelTimer = clock.after(dialTimeoutMs, () => {
      const cause = 'no answer in time'
      if (link.pending instanceof Stream) link.pending.close(cause)
      else fail(new Error(cause))
    })
    socket.once('close', () => {
      fail(new Error('closed by the other side'))
    })
    socket.once('secureConnect', () => {
      socket.removeListener('error', fail)
      link.pending = this.greet(socket, lan.name, link.node, (why) => {
        this.dialLater(link, why, lan.name)
      })
    })
  }

  /** LANs with heartbeats first; after a failure the next one, so that each gets its turn. */
  private lanToDial(link: Link): Lan | undefined {
    const lans = commonLans(this.settings, link.node)
    const isUp = (lan: Lan): boolean => this.options.isLanUp(link.node, lan.name)
    const ranked = [...lans.filter(isUp), ...lans.filter((lan) => !isUp(lan))]
    return ranked[link.attempts % Math.max(ranked.length, 1)]
  }

  private dialLater(link: Link, cause: string, lan?: string): void {
    link.pending = undefined
    link.cancelTimer()
    if (this.stopped || this.links.get(link.node) !== link) return
    const { node } = link
    // Another cause is news: a node that was off and comes back with a foreign certificate must not stay "refused" for a minute.
    const subject = `${node} ${lan ?? ''} ${cause}`
    this.options.gate.write('info', 'peerNotReached', subject, { node, lan, cause })
    const delayMs = Math.min(backOffMinMs * 2 ** Math.min(link.attempts, 10), backOffMaxMs)
    link.attempts++
    link.cancelTimer = this.options.clock.after(delayMs, () => {
      this.dial(link)
    })
  }

  /** `onNever` is called when the stream ends before it opened. */
  private greet(
    socket: TLSSocket,
    lan: string,
    node: string,
    onNever: (cause: string) => void,
  ): Stream {
    let opened = false
    const { codec, clock } = this.options
    return new Stream(socket, {
      ...{ lan, codec, clock, hello: this.ownHello() },
      judge: (hello) => this.judge(hello, node),
      onOpen: (stream, hello) => {
        opened = true
        this.onOpen(stream, node, hello)
      },
      onFrame: (stream, frame) => {
        if (this.links.get(node)?.stream === stream) this.options.onFrame(node, frame)
      },
      onClose: (stream, cause) => {
        if (opened) this.onClosed(stream, node, cause)
        else onNever(cause)
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

  private onOpen(stream: Stream, node: string, hello: Hello): void {
    this.acquaint(stream)
    const link = this.links.get(node)
    assert(link !== undefined, 'a greeting is accepted only from a configured node')
    const older = link.stream
    link.stream = undefined
    // The other side dials again only when it has lost the older stream, even if we have not noticed yet.
    if (older !== undefined) {
      older.close('replaced by a newer connection')
      this.onDisconnected(node, older.lan, 'replaced by a newer connection')
    }
    link.cancelTimer()
    Object.assign(link, { stream, hello, pending: undefined, attempts: 0 })
    const { version } = hello
    this.options.log.write('event', 'peerConnected', { node, lan: stream.lan, version })
    this.options.onConnected(node)
  }

  private onClosed(stream: Stream, node: string, cause: string): void {
    const link = this.links.get(node)
    const wasPresent = link === undefined || link.stream === stream
    if (!wasPresent) return
    if (link !== undefined) link.stream = undefined
    this.onDisconnected(node, stream.lan, cause)
    if (link !== undefined && this.settings.self < node) this.dialLater(link, cause, stream.lan)
  }

  private onDisconnected(node: string, lan: string, cause: string): void {
    if (!this.stopped) this.options.log.write('event', 'peerDisconnected', { node, lan, cause })
    this.options.onDisconnected(node)
  }
}
