/** Sends and receives heartbeats and lets the pure machine of decide.ts say who is heard and who is silent. */
import { assertNever, type Cancel, type Clock, type Log } from '@holdfast/sdk'
import type { AddressBook } from './addresses.js'
import {
  carries,
  hears,
  initialMembership,
  isMisdirected,
  isPresent,
  type MembershipAction,
  type MembershipEvent,
  type PeerRecord,
  peerOf,
  step,
} from './decide.js'
import { decodeHeartbeat, encodeHeartbeat } from './heartbeat.js'
import { HeartbeatSocket } from './heartbeat-socket.js'
import type { Incarnation } from './incarnation.js'
import type { LogGate } from './log-gate.js'
import { commonLans, entryOf, type Lan, type NetworkSettings, othersOf } from './settings.js'

/** At most so many turns of the event loop to empty the sockets before silence is decided. */
const drainTurnsMax = 64

export interface MembershipOptions {
  readonly clock: Clock
  readonly log: Log
  readonly gate: LogGate
  readonly addresses: AddressBook
  readonly incarnation: Incarnation
  readonly heartbeatKey: Buffer
  /** Something that an operator sees has changed: a LAN went up or down. */
  readonly onLan: () => void
  /** Whatever came with this pulse has been taken into account. */
  readonly onTick: () => void
  /** When anything last came on the open stream of `node`, and on which LAN it runs. */
  readonly streamHeard: (
    node: string,
  ) => { readonly lan: string; readonly heardMs: number } | undefined
}

export type HeardEvent =
  | { readonly kind: 'peerHeard'; readonly node: string }
  | { readonly kind: 'peerSilent'; readonly node: string; readonly silentMs: number }

export class Membership {
  private state = initialMembership
  private readonly sockets = new Map<string, { key: string; socket: HeartbeatSocket }>()
  private readonly tellers = new Map<number, (event: HeardEvent) => void>()
  private nextWatcher = 1
  private sequence = 0
  private received = 0
  private ticking = false
  private stopped = false
  private cancelPulse: Cancel = () => undefined

  constructor(
    private settings: NetworkSettings,
    private readonly options: MembershipOptions,
  ) {
    this.configure(settings)
  }

  /** Keeps the sockets of the LANs that stay as they are. */
  configure(settings: NetworkSettings): void {
    this.settings = settings
    this.openSockets()
    const peers = othersOf(settings).map((node) => ({
      node,
      lans: commonLans(settings, node).map((lan) => lan.name),
    }))
    const { pulseMs } = settings
    this.happened({ kind: 'configured', nowMs: this.nowMs(), pulseMs, peers })
    this.cancelPulse()
    this.cancelPulse = this.options.clock.every(pulseMs, () => {
      this.pulse()
    })
  }

  watch(
    node: string,
    options: { readonly timeoutMs: number; readonly lans: readonly string[] },
    tell: (event: HeardEvent) => void,
  ): Cancel {
    const id = this.nextWatcher++
    this.tellers.set(id, tell)
    this.happened({ kind: 'watched', nowMs: this.nowMs(), watcher: { id, node, ...options } })
    return () => {
      this.tellers.delete(id)
      this.happened({ kind: 'unwatched', id })
    }
  }

  peer(node: string): PeerRecord | undefined {
    return peerOf(this.state, node)
  }

  carries(node: string, lan: string): boolean {
    return carries(this.state, node, lan)
  }

  isOpen(lan: string): boolean {
    return this.sockets.get(lan)?.socket.isOpen ?? false
  }

  /** False: `node` runs a later incarnation already, this one is a ghost. */
  prove(node: string, incarnation: Incarnation): boolean {
    if (!isPresent(this.peer(node)?.incarnation, incarnation)) return false
    this.happened({ kind: 'incarnationProved', node, incarnation })
    return true
  }

  stop(): void {
    this.stopped = true
    this.cancelPulse()
    for (const { socket } of this.sockets.values()) socket.close()
    this.sockets.clear()
    this.tellers.clear()
  }

  private openSockets(): void {
    const { addresses, clock, gate } = this.options
    const wanted = new Map<string, { key: string; lan: Lan; host: string }>()
    for (const lan of this.settings.lans) {
      const own = entryOf(lan, this.settings.self)
      if (own === undefined) continue
      const host = own.laddr ?? own.addr
      wanted.set(lan.name, { key: `${host} ${String(lan.port)}`, lan, host })
    }
    for (const [name, { key, socket }] of this.sockets) {
      if (wanted.get(name)?.key === key) continue
      socket.close()
      this.sockets.delete(name)
    }
    for (const [name, { key, lan, host }] of wanted) {
      if (this.sockets.has(name)) continue
      const onDatagram = (on: string, datagram: Buffer): void => {
        this.onDatagram(on, datagram)
      }
      const address = (): string | undefined => addresses.resolved(host)
      const socket = new HeartbeatSocket({
        ...{ lan: name, port: lan.port, address, clock, gate, onDatagram },
      })
      this.sockets.set(name, { key, socket })
    }
  }

  private pulse(): void {
    this.sendHeartbeats()
    if (this.ticking) return
    this.ticking = true
    this.drain(drainTurnsMax, -1)
  }

  /**
   * A timer runs before the sockets are read: datagrams that arrived while the loop was busy are still in the kernel.
   * Silence is decided only after a turn of the loop in which none came.
   */
  private drain(turnsLeft: number, receivedBefore: number): void {
    if (this.stopped) return
    if (turnsLeft > 0 && this.received !== receivedBefore) {
      const { received } = this
      setImmediate(() => {
        this.drain(turnsLeft - 1, received)
      })
      return
    }
    this.ticking = false
    for (const node of othersOf(this.settings)) {
      const heard = this.options.streamHeard(node)
      if (heard !== undefined) this.happened({ kind: 'streamHeard', node, ...heard })
    }
    this.happened({ kind: 'ticked', nowMs: this.nowMs() })
    this.options.onTick()
  }

  private sendHeartbeats(): void {
    const { cluster, self } = this.settings
    const { incarnation, heartbeatKey, addresses } = this.options
    for (const node of othersOf(this.settings)) {
      for (const lan of commonLans(this.settings, node)) {
        const host = entryOf(lan, node)?.addr
        const address = host === undefined ? undefined : addresses.resolved(host)
        if (address === undefined) continue
        const sequence = ++this.sequence
        const spoken = { hears: hears(this.state, node, lan.name), sentMs: this.nowMs() }
        const beat = { cluster, lan: lan.name, from: self, to: node, incarnation, sequence }
        const datagram = encodeHeartbeat({ ...beat, ...spoken }, heartbeatKey)
        this.sockets.get(lan.name)?.socket.send(datagram, address, lan.port)
      }
    }
  }

  private onDatagram(lan: string, datagram: Buffer): void {
    this.received++
    const { gate, heartbeatKey } = this.options
    const beat = decodeHeartbeat(datagram, heartbeatKey)
    if (typeof beat === 'string') {
      gate.write('warning', 'heartbeatRefused', `${lan} ${beat}`, { lan, fault: beat })
      return
    }
    const { cluster, self } = this.settings
    if (isMisdirected(beat, { cluster, self, lan })) {
      const { from, to } = beat
      const fields = { lan, fault: 'misdirected', from, to, sentOn: beat.lan }
      gate.write('warning', 'heartbeatRefused', `${lan} misdirected`, fields)
      return
    }
    const { from: node, incarnation, sequence, hears } = beat
    const nowMs = this.nowMs()
    this.happened({ kind: 'heartbeatReceived', nowMs, node, lan, incarnation, sequence, hears })
  }

  private happened(event: MembershipEvent): void {
    if (this.stopped) return
    const { next, actions } = step(this.state, event)
    this.state = next
    for (const action of actions) this.obey(action)
  }

  private obey(action: MembershipAction): void {
    const { log, gate, onLan } = this.options
    switch (action.kind) {
      case 'tellHeard':
        this.tellers.get(action.watcher)?.({ kind: 'peerHeard', node: action.node })
        return
      case 'tellSilent': {
        const { node, silentMs } = action
        this.tellers.get(action.watcher)?.({ kind: 'peerSilent', node, silentMs })
        return
      }
      case 'showLan': {
        const { node, lan, up } = action
        log.write('event', up ? 'lanUp' : 'lanDown', { node, lan })
        onLan()
        return
      }
      case 'showRestart':
        log.write('event', 'peerRestarted', {
          node: action.node,
          incarnation: action.incarnation.id,
        })
        return
      case 'showFreeze':
        gate.write('warning', 'processFrozen', 'self', { lateMs: Math.round(action.lateMs) })
        return
      case 'refuseHeartbeat': {
        const { node, lan, fault } = action
        gate.write('warning', 'heartbeatRefused', `${lan} ${node} ${fault}`, { node, lan, fault })
        return
      }
      default:
        assertNever(action)
    }
  }

  private nowMs(): number {
    return this.options.clock.monotonicMs()
  }
}
