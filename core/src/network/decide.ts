/**
 * Who is heard and who is silent, as a pure machine. A peer is silent for a watcher when nothing came from it on any of
 * the watched LANs for the watcher's time-out: no heartbeat, and nothing on the stream. (A firewall that drops the
 * datagrams must not make a peer look dead that still answers on its stream.)
 *
 * The rule of our own freeze: when a tick comes more than two pulses late, this process did not run, and the absence
 * of heartbeats says nothing about the peer. No silence is decided then, nor for three pulses after it. (The driver
 * reads all pending datagrams before it lets a tick through.)
 */
import type { Incarnation } from './incarnation.js'

export const freezePulses = 2
export const gracePulses = 3
/** A LAN is shown as down after this many pulses without a heartbeat. */
export const lanDownPulses = 4

export interface PeerLan {
  readonly lan: string
  readonly heardMs: number | undefined
  /** When anything last came on the stream, while it ran on this LAN. */
  readonly streamMs: number | undefined
  readonly up: boolean
  /** False: the peer says that nothing of ours comes to it on this LAN. */
  readonly hearsUs: boolean
  /** Of the last accepted datagram in the present incarnation; -1 before the first. */
  readonly sequence: number
}

export interface PeerRecord {
  readonly node: string
  /** Silence is counted from here while nothing was ever heard. */
  readonly sinceMs: number
  readonly incarnation: Incarnation | undefined
  readonly lans: readonly PeerLan[]
  /**
   * The highest number that was accepted before the LANs were last configured. A LAN that is added begins there, so that
   * nobody can send again what was said on it before it was removed.
   */
  readonly sequence: number
}

export interface Watcher {
  readonly id: number
  readonly node: string
  readonly timeoutMs: number
  /** Empty: all LANs. */
  readonly lans: readonly string[]
}

interface WatcherRecord extends Watcher {
  readonly verdict: 'heard' | 'silent' | 'undecided'
}

export interface MembershipState {
  readonly pulseMs: number
  /** Undefined before the first tick. */
  readonly tickedMs: number | undefined
  readonly graceUntilMs: number
  readonly peers: readonly PeerRecord[]
  readonly watchers: readonly WatcherRecord[]
}

export type MembershipEvent =
  | {
      readonly kind: 'configured'
      readonly nowMs: number
      readonly pulseMs: number
      readonly peers: readonly { readonly node: string; readonly lans: readonly string[] }[]
    }
  | {
      readonly kind: 'heartbeatReceived'
      readonly nowMs: number
      readonly node: string
      readonly lan: string
      readonly incarnation: Incarnation
      readonly sequence: number
      /** Does the sender hear us on this LAN? */
      readonly hears: boolean
    }
  /** The peer proved this incarnation on an authenticated stream. */
  | { readonly kind: 'incarnationProved'; readonly node: string; readonly incarnation: Incarnation }
  | {
      readonly kind: 'streamHeard'
      readonly node: string
      readonly lan: string
      readonly heardMs: number
    }
  | { readonly kind: 'ticked'; readonly nowMs: number }
  | { readonly kind: 'watched'; readonly nowMs: number; readonly watcher: Watcher }
  | { readonly kind: 'unwatched'; readonly id: number }

export type MembershipAction =
  | { readonly kind: 'tellHeard'; readonly watcher: number; readonly node: string }
  | {
      readonly kind: 'tellSilent'
      readonly watcher: number
      readonly node: string
      readonly silentMs: number
    }
  | { readonly kind: 'showLan'; readonly node: string; readonly lan: string; readonly up: boolean }
  | { readonly kind: 'showRestart'; readonly node: string; readonly incarnation: Incarnation }
  | { readonly kind: 'showFreeze'; readonly lateMs: number }
  | {
      readonly kind: 'refuseHeartbeat'
      readonly node: string
      readonly lan: string
      readonly fault: 'unknownNode' | 'unknownLan' | 'endedIncarnation' | 'replayed'
    }

export interface MembershipStep {
  readonly next: MembershipState
  readonly actions: readonly MembershipAction[]
}

export const initialMembership: MembershipState = {
  pulseMs: 250,
  tickedMs: undefined,
  graceUntilMs: 0,
  peers: [],
  watchers: [],
}

export function step(state: MembershipState, event: MembershipEvent): MembershipStep {
  switch (event.kind) {
    case 'configured':
      return onConfigured(state, event)
    case 'heartbeatReceived':
      return onHeartbeat(state, event)
    case 'incarnationProved':
      return onIncarnation(state, event.node, event.incarnation)
    case 'streamHeard':
      return onStreamHeard(state, event)
    case 'ticked':
      return onTick(state, event.nowMs)
    case 'watched':
      return onWatched(state, event.watcher, event.nowMs)
    case 'unwatched':
      return unchanged({
        ...state,
        watchers: state.watchers.filter((watcher) => watcher.id !== event.id),
      })
  }
}

export function peerOf(state: MembershipState, node: string): PeerRecord | undefined {
  return state.peers.find((peer) => peer.node === node)
}

/** Do heartbeats pass on this LAN in both directions? What one node says of it is soon known to the other one. */
export function carries(state: MembershipState, node: string, lan: string): boolean {
  const one = peerOf(state, node)?.lans.find((known) => known.lan === lan)
  return one !== undefined && one.up && one.hearsUs
}

/** What our heartbeats tell the peer. Until a LAN could have been shown as down, nobody is told that it is. */
export function hears(state: MembershipState, node: string, lan: string): boolean {
  const peer = peerOf(state, node)
  const one = peer?.lans.find((known) => known.lan === lan)
  if (peer === undefined || one === undefined || one.up) return true
  const sinceMs = one.heardMs ?? peer.sinceMs
  return (state.tickedMs ?? sinceMs) - sinceMs < lanDownPulses * state.pulseMs
}

/** Was this datagram, however authentic, said to another node, on another LAN or in another cluster? */
export function isMisdirected(
  beat: { readonly cluster: string; readonly to: string; readonly lan: string },
  here: { readonly cluster: string; readonly self: string; readonly lan: string },
): boolean {
  return beat.cluster !== here.cluster || beat.to !== here.self || beat.lan !== here.lan
}

/**
 * The counter of the next incarnation. It begins with the seconds of the wall clock, so that a node that was installed
 * again is not taken for a ghost of itself; after that only what is on disk decides.
 */
export function nextBoot(lastBoot: number, wallMs: number): number {
  return Math.max(lastBoot + 1, Math.floor(wallMs / 1000))
}

/** May this incarnation speak for `node`? One that has ended may not come back. */
export function isPresent(known: Incarnation | undefined, offered: Incarnation): boolean {
  return known === undefined || known.id === offered.id || offered.boot > known.boot
}

function onConfigured(
  state: MembershipState,
  event: MembershipEvent & { kind: 'configured' },
): MembershipStep {
  const peers = event.peers.map(({ node, lans }): PeerRecord => {
    const known = peerOf(state, node)
    const numbers = known?.lans.map((one) => one.sequence) ?? []
    const sequence = Math.max(known?.sequence ?? -1, ...numbers)
    return {
      node,
      sequence,
      sinceMs: known?.sinceMs ?? event.nowMs,
      incarnation: known?.incarnation,
      lans: lans.map(
        (lan) => known?.lans.find((one) => one.lan === lan) ?? silentLan(lan, sequence),
      ),
    }
  })
  return unchanged({ ...state, pulseMs: event.pulseMs, peers })
}

function silentLan(lan: string, sequence: number): PeerLan {
  return { lan, heardMs: undefined, streamMs: undefined, up: false, hearsUs: true, sequence }
}

function onHeartbeat(
  state: MembershipState,
  event: MembershipEvent & { kind: 'heartbeatReceived' },
): MembershipStep {
  const { node, lan, incarnation, sequence, nowMs, hears: hearsUs } = event
  const refuse = (fault: (MembershipAction & { kind: 'refuseHeartbeat' })['fault']) => ({
    next: state,
    actions: [{ kind: 'refuseHeartbeat', node, lan, fault } as const],
  })
  const peer = peerOf(state, node)
  if (peer === undefined) return refuse('unknownNode')
  if (!isPresent(peer.incarnation, incarnation)) return refuse('endedIncarnation')
  const met = onIncarnation(state, node, incarnation)
  const before = peerOf(met.next, node)?.lans.find((one) => one.lan === lan)
  if (before === undefined) return refuse('unknownLan')
  if (sequence <= before.sequence) return refuse('replayed')
  const heard = withLan(met.next, node, { ...before, heardMs: nowMs, up: true, hearsUs, sequence })
  const told = tellHeard(heard, node, lan)
  const shown: MembershipAction[] = before.up ? [] : [{ kind: 'showLan', node, lan, up: true }]
  return { next: told.next, actions: [...met.actions, ...shown, ...told.actions] }
}

function onStreamHeard(
  state: MembershipState,
  event: MembershipEvent & { kind: 'streamHeard' },
): MembershipStep {
  const { node, lan, heardMs } = event
  const before = peerOf(state, node)?.lans.find((one) => one.lan === lan)
  if (before === undefined || heardMs <= (before.streamMs ?? -Infinity)) return unchanged(state)
  return tellHeard(withLan(state, node, { ...before, streamMs: heardMs }), node, lan)
}

function onIncarnation(
  state: MembershipState,
  node: string,
  incarnation: Incarnation,
): MembershipStep {
  const peer = peerOf(state, node)
  if (peer === undefined || peer.incarnation?.id === incarnation.id) return unchanged(state)
  if (!isPresent(peer.incarnation, incarnation)) return unchanged(state)
  const lans = peer.lans.map((one) => ({ ...one, sequence: -1 }))
  const next = withPeer(state, { ...peer, incarnation, lans, sequence: -1 })
  const isRestart = peer.incarnation !== undefined
  return { next, actions: isRestart ? [{ kind: 'showRestart', node, incarnation }] : [] }
}

function onTick(state: MembershipState, nowMs: number): MembershipStep {
  const lateMs = state.tickedMs === undefined ? 0 : nowMs - state.tickedMs - state.pulseMs
  const ticked = { ...state, tickedMs: nowMs }
  if (lateMs > freezePulses * state.pulseMs) {
    const graceUntilMs = nowMs + gracePulses * state.pulseMs
    return { next: { ...ticked, graceUntilMs }, actions: [{ kind: 'showFreeze', lateMs }] }
  }
  if (nowMs < state.graceUntilMs) return unchanged(ticked)
  const silent = tellSilent(ticked, nowMs)
  const lowered = lowerLans(silent.next, nowMs)
  return { next: lowered.next, actions: [...lowered.actions, ...silent.actions] }
}

function onWatched(state: MembershipState, watcher: Watcher, nowMs: number): MembershipStep {
  const { id, node } = watcher
  const heardMs = lastHeardMs(state, watcher)
  const isHeard = heardMs !== undefined && nowMs - heardMs < watcher.timeoutMs
  const verdict = isHeard ? 'heard' : 'undecided'
  const next = { ...state, watchers: [...state.watchers, { ...watcher, verdict } as const] }
  return { next, actions: isHeard ? [{ kind: 'tellHeard', watcher: id, node }] : [] }
}

function tellHeard(state: MembershipState, node: string, lan: string): MembershipStep {
  const hears = (watcher: WatcherRecord) =>
    watcher.node === node &&
    watcher.verdict !== 'heard' &&
    (watcher.lans.length === 0 || watcher.lans.includes(lan))
  const hearing = state.watchers.filter(hears)
  if (hearing.length === 0) return unchanged(state)
  return {
    next: {
      ...state,
      watchers: state.watchers.map((one) => (hears(one) ? { ...one, verdict: 'heard' } : one)),
    },
    actions: hearing.map(({ id }) => ({ kind: 'tellHeard', watcher: id, node })),
  }
}

function tellSilent(state: MembershipState, nowMs: number): MembershipStep {
  const actions: MembershipAction[] = []
  const watchers = state.watchers.map((watcher): WatcherRecord => {
    if (watcher.verdict === 'silent') return watcher
    const sinceMs = lastHeardMs(state, watcher) ?? peerOf(state, watcher.node)?.sinceMs ?? nowMs
    const silentMs = nowMs - sinceMs
    if (silentMs < watcher.timeoutMs) return watcher
    actions.push({ kind: 'tellSilent', watcher: watcher.id, node: watcher.node, silentMs })
    return { ...watcher, verdict: 'silent' }
  })
  return actions.length === 0 ? unchanged(state) : { next: { ...state, watchers }, actions }
}

function lowerLans(state: MembershipState, nowMs: number): MembershipStep {
  const limitMs = lanDownPulses * state.pulseMs
  const actions: MembershipAction[] = []
  const peers = state.peers.map((peer) => ({
    ...peer,
    lans: peer.lans.map((one): PeerLan => {
      if (!one.up || nowMs - (one.heardMs ?? nowMs) < limitMs) return one
      actions.push({ kind: 'showLan', node: peer.node, lan: one.lan, up: false })
      return { ...one, up: false }
    }),
  }))
  return actions.length === 0 ? unchanged(state) : { next: { ...state, peers }, actions }
}

function lastHeardMs(state: MembershipState, watcher: Watcher): number | undefined {
  let lastMs = -Infinity
  for (const { lan, heardMs, streamMs } of peerOf(state, watcher.node)?.lans ?? []) {
    if (watcher.lans.length > 0 && !watcher.lans.includes(lan)) continue
    lastMs = Math.max(lastMs, heardMs ?? -Infinity, streamMs ?? -Infinity)
  }
  return lastMs === -Infinity ? undefined : lastMs
}

function withLan(state: MembershipState, node: string, lan: PeerLan): MembershipState {
  const peer = peerOf(state, node)
  if (peer === undefined) return state
  const lans = peer.lans.map((one) => (one.lan === lan.lan ? lan : one))
  return withPeer(state, { ...peer, lans })
}

function withPeer(state: MembershipState, peer: PeerRecord): MembershipState {
  return { ...state, peers: state.peers.map((one) => (one.node === peer.node ? peer : one)) }
}

function unchanged(next: MembershipState): MembershipStep {
  return { next, actions: [] }
}
