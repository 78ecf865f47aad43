/** The network of a node: membership, streams and the messages of all owners, put together. */
import type { TLSSocket } from 'node:tls'
import type { Cancel, Clock, LanState, Log, NodeView, PeerEvent, Peers } from '@holdfast/sdk'
import { AddressBook } from './addresses.js'
import { Exchange } from './exchange.js'
import type { Incarnation } from './incarnation.js'
import { LogGate } from './log-gate.js'
import { Membership } from './membership.js'
import {
  commonLans,
  type Credentials,
  entryOf,
  type NetworkSettings,
  othersOf,
} from './settings.js'
import { Transport } from './transport.js'
import { jsonCodec } from './wire.js'

export interface Network {
  /** Identity of this run of the daemon. */
  readonly incarnation: string
  /** Heartbeats and messages for one owner; `others` says whom it may talk to, at each moment. */
  peersFor(owner: string, others: () => readonly string[]): Peers
  view(): readonly NodeView[]
  /** Called when something that `view` shows has changed. */
  onChange(on: () => void): Cancel
  stop(): Promise<void>
}

export interface NetworkOptions {
  readonly settings: NetworkSettings
  readonly credentials: Credentials
  readonly incarnation: Incarnation
  /** Of Holdfast. */
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  /** A connection of a node that wants to join. The callee owns and ends it. */
  readonly onJoin: (socket: TLSSocket) => void
}

export class ClusterNetwork implements Network {
  readonly incarnation: string
  private settings: NetworkSettings
  private readonly addresses: AddressBook
  private readonly membership: Membership
  private readonly transport: Transport
  private readonly exchange: Exchange
  private readonly watchers = new Set<(event: PeerEvent) => void>()
  private readonly changed = new Set<() => void>()

  constructor(private readonly options: NetworkOptions) {
    const { settings, credentials, incarnation, version, clock, log, onJoin } = options
    this.settings = settings
    this.incarnation = incarnation.id
    const gate = new LogGate(log, clock)
    const addresses = new AddressBook(() => clock.monotonicMs())
    this.addresses = addresses
    const common = { clock, log, gate, addresses, incarnation }
    this.exchange = new Exchange({
      clock,
      send: (node, frame) => this.transport.send(node, frame),
      breakStream: (node, cause) => {
        this.transport.close(node, cause)
      },
    })
    this.membership = new Membership(settings, {
      ...common,
      heartbeatKey: credentials.heartbeatKey,
      streamHeard: (node) => this.transport.heard(node),
      onLan: () => {
        this.tellChange()
      },
      onTick: () => {
        this.transport.tick()
      },
    })
    this.transport = new Transport(settings, {
      ...{ ...common, credentials, version, onJoin, codec: jsonCodec },
      prove: (node, met) => this.membership.prove(node, met),
      carries: (node, lan) => this.membership.carries(node, lan),
      onConnected: (node) => {
        this.tell({ kind: 'peerConnected', node })
      },
      onDisconnected: (node) => {
        this.exchange.disconnected(node)
        this.tell({ kind: 'peerDisconnected', node })
      },
      onFrame: (node, frame) => {
        this.exchange.receive(node, frame)
      },
    })
  }

  /** LANs and nodes that stay as they are go on without interruption. */
  configure(settings: NetworkSettings): void {
    this.settings = settings
    this.membership.configure(settings)
    this.transport.configure(settings)
    this.tellChange()
  }

  peersFor(owner: string, others: () => readonly string[]): Peers {
    const { exchange } = this
    const settings = (): NetworkSettings => this.settings
    return {
      get self() {
        return settings().self
      },
      get others() {
        const known = othersOf(settings())
        return others().filter((node) => known.includes(node))
      },
      state: (node) => ({
        node,
        lans: this.lansOf(node),
        connected: this.transport.isConnected(node),
        incarnation: this.membership.peer(node)?.incarnation?.id,
      }),
      watch: (node, watching, on) => this.watch(node, watching, on),
      send: (node, message) => exchange.send(node, owner, message),
      onMessage: (on) => exchange.onMessage(owner, on),
      call: (node, message, timeoutMs) => exchange.call(node, owner, message, timeoutMs),
      onCall: (answer) => exchange.onCall(owner, answer),
      address: (node, lan) => this.address(node, lan),
    }
  }

  view(): readonly NodeView[] {
    const { self } = this.settings
    return [self, ...othersOf(this.settings)].sort().map((node) => {
      const isSelf = node === self
      const version = isSelf ? this.options.version : this.transport.hello(node)?.version
      const connected = isSelf || this.transport.isConnected(node)
      const lans = isSelf ? this.ownLans() : this.lansOf(node)
      const shown = lans.map((lan) => ({ ...lan, address: this.configured(node, lan.lan) ?? '' }))
      return { node, connected, version, lans: shown }
    })
  }

  onChange(on: () => void): Cancel {
    this.changed.add(on)
    return () => {
      this.changed.delete(on)
    }
  }

  stop(): Promise<void> {
    this.membership.stop()
    this.transport.stop()
    this.watchers.clear()
    this.changed.clear()
    return Promise.resolve()
  }

  private watch(
    node: string,
    options: { readonly timeoutMs: number; readonly lans: readonly string[] },
    on: (event: PeerEvent) => void,
  ): Cancel {
    const filtered = (event: PeerEvent): void => {
      if (event.node === node) on(event)
    }
    this.watchers.add(filtered)
    on({
      kind: this.transport.isConnected(node) ? 'peerConnected' : 'peerDisconnected',
      node,
    })
    const cancel = this.membership.watch(node, options, on)
    return () => {
      this.watchers.delete(filtered)
      cancel()
    }
  }

  private address(node: string, lan?: string): string | undefined {
    const host = this.configured(node, lan)
    return host === undefined ? undefined : this.addresses.resolved(host)
  }

  private configured(node: string, lan?: string): string | undefined {
    const lans = this.settings.lans.filter((one) => lan === undefined || one.name === lan)
    return lans.map((one) => entryOf(one, node)?.addr).find((addr) => addr !== undefined)
  }

  private lansOf(node: string): readonly LanState[] {
    const nowMs = this.options.clock.monotonicMs()
    const record = this.membership.peer(node)
    return commonLans(this.settings, node).map(({ name }) => {
      const heard = record?.lans.find((one) => one.lan === name)
      const heardMsAgo = heard?.heardMs === undefined ? undefined : nowMs - heard.heardMs
      return { lan: name, heardMsAgo, up: heard?.up ?? false }
    })
  }

  private ownLans(): readonly LanState[] {
    return commonLans(this.settings, this.settings.self).map(({ name }) => ({
      lan: name,
      heardMsAgo: undefined,
      up: this.membership.isOpen(name) && this.transport.isListening(name),
    }))
  }

  private tell(event: PeerEvent): void {
    for (const watcher of [...this.watchers]) watcher(event)
    this.tellChange()
  }

  private tellChange(): void {
    for (const on of [...this.changed]) on()
  }
}
