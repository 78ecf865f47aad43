/**
 * The mirror's machine: two nodes, one application, at most one of them runs it.
 *
 *   stop → wait → alone ⇄ prim          alone: serves without the peer's copy
 *            ↓       ↑                  prim:  serves, and no write is acknowledged without the peer
 *          second ───┘                  second: copies, follows live, takes over
 *   any → demoting → wait | stop        demoting: the application is still stopping
 *
 * An event updates the facts; then the role looks at all facts and decides. An answer carries the epoch of its question;
 * one with another epoch came too late and is ignored.
 */
import { assertNever, type Claim } from '@holdfast/sdk'
import { onCommand } from './command.js'
import { afterLeave, demote, handedOver, nowDepends } from './demote.js'
import { failOver } from './loops.js'
import { noGeneration } from './lineage.js'
import { onMessage } from './message.js'
import { andThen, become, isAt, remember, stay, tell, viewOf, within } from './plan.js'
import {
  admitWaiting,
  copyFinished,
  goAlone,
  linkLost,
  syncedMessage,
  reconsiderServing,
  limitReached,
  takeRight,
  withoutWitness,
} from './serve.js'
import { isUnproved, prove, proved, proveLater } from './proof.js'
import { claimAsSecond, join, reconsiderSecond, rejoinLater } from './second.js'
import { resume } from './resume.js'
import type { Event, MirrorConfig, PeerFacts, State, Step } from './types.js'
import { claimAsWaiting, deciding, reconsiderWait, serveByDelta, startServing } from './wait.js'

export function initialState(config: MirrorConfig, epoch: number): State {
  return {
    config,
    memory: {
      generation: noGeneration,
      history: [],
      data: 'none',
      paired: false,
      wasPrim: false,
    },
    place: { role: 'stop' },
    peer: nothingKnown,
    epoch,
    loops: [],
    cause: 'not started',
    hint: undefined,
  }
}

export const nothingKnown: PeerFacts = {
  life: 'unknown',
  connected: false,
  view: undefined,
  agreed: false,
}

export function step(state: State, event: Event): Step {
  const handled = andThen(onEvent(state, event), reconsider)
  return withView(state, handled)
}

/** The peer hears of every change of what it may build on, after it is on disk. */
function withView(before: State, handled: Step): Step {
  const was = JSON.stringify(viewOf(before))
  const is = JSON.stringify(viewOf(handled.next))
  if (was === is || !handled.next.peer.connected) return handled
  const view = tell({ kind: 'view', view: viewOf(handled.next), asks: false })
  return { next: handled.next, actions: [...handled.actions, view] }
}

function reconsider(state: State): Step {
  if (isAt(state, 'wait')) return reconsiderWait(state)
  if (isAt(state, 'second')) return reconsiderSecond(state)
  if (isAt(state, 'alone', 'prim')) return reconsiderServing(state)
  return stay(state)
}

function onEvent(state: State, event: Event): Step {
  switch (event.kind) {
    case 'commanded':
      return onCommand(state, event)
    case 'adopted':
      return resume(state)
    case 'told':
      return onMessage(state, event.message)
    case 'peerHeard':
      return stay({ ...state, peer: { ...state.peer, life: 'heard' } })
    case 'peerSilent':
      return stay({ ...state, peer: { ...state.peer, life: 'silent', agreed: false } })
    case 'peerConnected':
      return onConnected({ ...state, peer: { ...state.peer, connected: true } })
    case 'peerDisconnected':
      return onDisconnected(state)
    case 'entered':
      return onEntered(state, event)
    case 'left':
      return isAt(state, 'demoting') && state.place.epoch === event.epoch
        ? afterLeave(state, event.verdict)
        : stay(state)
    case 'restarted':
      return onRestarted(state, event)
    case 'claimed':
      return onClaimed(state, event.epoch, event.claim)
    case 'admitDone':
      return onAdmitDone(state, event)
    case 'followDone':
      return isAt(state, 'second') && state.place.epoch === event.epoch && !event.verdict.ok
        ? rejoinLater(state, event.verdict.reason)
        : stay(state)
    case 'copyFinished':
      if (isAt(state, 'demoting')) return stay(nowDepends(state, event.epoch))
      return isAt(state, 'alone', 'prim') ? copyFinished(state, event.epoch) : stay(state)
    case 'linkLost':
      return onLinkLost(state, event.epoch, event.cause)
    case 'dataFailed':
      return onDataFailed(state, event.cause, event.wallMs)
    case 'timeUp':
      return onTimeUp(state, event.epoch)
    case 'ticked':
      return onTicked(state, event.wallMs)
    default:
      return assertNever(event)
  }
}

/**
 * What was told on an older stream may be lost: the view, and that the follower is current. The peer's module may also
 * have become active later than the stream: so whoever comes last asks for the view it missed.
 */
function onConnected(state: State): Step {
  const view = tell({ kind: 'view', view: viewOf(state), asks: true })
  if (isAt(state, 'alone', 'prim') && state.place.degrading?.stage === 'outdating') {
    // Asked before the stream was there: `reconsider` asks again.
    const degrading = { ...state.place.degrading, stage: 'held' as const }
    return stay({ ...state, place: { ...state.place, degrading } }, view)
  }
  const live = isAt(state, 'alone', 'prim') && state.place.follower?.stage === 'live'
  return live
    ? stay(state, view, syncedMessage(state, state.place.follower.epoch))
    : stay(state, view)
}

/** Questions to the peer died with the stream; they are asked again when it is back. */
function onDisconnected(before: State): Step {
  const peer = { ...before.peer, connected: false, view: undefined, agreed: false }
  const state = handedOver({ ...before, peer })
  if (isAt(state, 'wait') && state.place.stage === 'leading') {
    return stay(deciding(state, `lost the message stream to ${state.config.peer}`))
  }
  if (isAt(state, 'second') && state.place.stage === 'leading') {
    return rejoinLater(state, `lost the message stream to ${state.config.peer}`)
  }
  if (isAt(state, 'alone', 'prim') && state.place.degrading?.stage === 'outdating') {
    // Back to holding: `reconsider` asks again, or takes the right when the peer is silent.
    const degrading = { ...state.place.degrading, stage: 'held' as const }
    return stay({ ...state, place: { ...state.place, degrading } })
  }
  return stay(state)
}

function onEntered(state: State, event: Extract<Event, { kind: 'entered' }>): Step {
  if (isAt(state, 'wait') && state.place.epoch === event.epoch) {
    return event.verdict.ok
      ? stay(deciding(state, state.cause))
      : failOver(state, event.verdict.reason, event.wallMs)
  }
  if (isAt(state, 'second') && state.place.epoch === event.epoch) {
    return event.verdict.ok ? join(state) : failOver(state, event.verdict.reason, event.wallMs)
  }
  if (isAt(state, 'alone', 'prim') && state.place.epoch === event.epoch) {
    if (!event.verdict.ok) return failOver(state, event.verdict.reason, event.wallMs)
    const ready = { ...state.place, stage: 'ready' as const }
    return admitWaiting({ ...become(state, ready, state.cause), place: ready })
  }
  return stay(state)
}

function onRestarted(state: State, event: Extract<Event, { kind: 'restarted' }>): Step {
  if (!isAt(state, 'alone', 'prim') || state.place.epoch !== event.epoch) return stay(state)
  if (!event.verdict.ok) return failOver(state, event.verdict.reason, event.wallMs)
  return stay(become(state, { ...state.place, stage: 'ready' }, state.cause))
}

const goesOnByChoice = 'the witness does not answer; the operator chose to go on'

function onClaimed(state: State, epoch: number, claim: Claim): Step {
  if (isAt(state, 'wait') && state.place.stage === 'claiming' && state.place.epoch === epoch) {
    if (claim === 'granted') return startServing(state, 'the witness granted it')
    if (claim === 'unknown' && isUnproved(state) && state.config.isolation === 'alone') {
      return startServing(state, goesOnByChoice, true)
    }
    // The stage stays, so that the witness is not asked again before the time is up.
    const cause = claim === 'refused' ? refusal(state) : 'the witness does not answer'
    const hint = `start ${state.config.peer}; if it is lost for good, "stop" then "prim" here`
    return stay({ ...state, cause, hint }, within(epoch, state.config.timeoutMs))
  }
  if (isAt(state, 'second') && state.place.stage === 'claiming' && state.place.epoch === epoch) {
    if (claim === 'granted') return startServing(state, 'the witness granted it')
    if (claim === 'unknown' && state.config.isolation === 'alone') {
      return startServing(state, goesOnByChoice, true)
    }
    if (claim === 'refused') return demote(state, 'wait', 'stopwait', refusal(state))
    return stay(state, within(epoch, state.config.timeoutMs))
  }
  if (
    isAt(state, 'alone', 'prim') &&
    state.place.degrading?.stage === 'claiming' &&
    state.place.degrading.epoch === epoch
  ) {
    if (claim === 'granted') return goAlone(state)
    if (claim === 'unknown') return withoutWitness(state)
    // Granted is not used: if the other node went on, its generation says so when it is heard; until then nobody knows.
    return demote(state, 'wait', 'stopwait', refusal(state))
  }
  if (isAt(state, 'alone', 'prim') && state.place.proving === epoch && isUnproved(state)) {
    if (claim === 'granted') return proved(state)
    if (claim === 'unknown') return proveLater(state)
    return demote(state, 'wait', 'stopwait', refusal(state))
  }
  return stay(state)
}

/** The witness does not tell whether the right was used, and nobody else can: see docs/MIRROR.md. */
function refusal({ config }: State): string {
  return `the witness gave the right to go on to ${config.peer}, which may have used it`
}

function onAdmitDone(state: State, event: Extract<Event, { kind: 'admitDone' }>): Step {
  if (!isAt(state, 'alone', 'prim') || state.place.follower?.epoch !== event.epoch)
    return stay(state)
  if (event.verdict.ok) {
    const follower = { ...state.place.follower, isAdmitted: true as const }
    const admitted = { ...state, place: { ...state.place, follower } }
    return stay(admitted, tell({ kind: 'admitted', epoch: event.epoch }))
  }
  const next = become(state, { ...state.place, follower: undefined }, event.verdict.reason)
  return stay(next, tell({ kind: 'disagreed', epoch: event.epoch, reason: event.verdict.reason }))
}

function onLinkLost(state: State, epoch: number, cause: string): Step {
  if (isAt(state, 'alone', 'prim')) return linkLost(state, epoch, cause)
  if (isAt(state, 'demoting') && state.place.dependsOn === epoch)
    return stay(state, { kind: 'refuse' })
  if (!isAt(state, 'second') || state.place.epoch !== epoch) return stay(state)
  return state.place.stage === 'copying' || state.place.stage === 'live'
    ? rejoinLater(state, `replication was lost: ${cause}`)
    : stay(state)
}

function onDataFailed(state: State, cause: string, wallMs: number): Step {
  if (isAt(state, 'alone', 'prim', 'second')) return failOver(state, cause, wallMs)
  return stay(state)
}

function onTimeUp(state: State, epoch: number): Step {
  const cleared = state.peer.agreed ? { ...state, peer: { ...state.peer, agreed: false } } : state
  if (isAt(cleared, 'stop') && cleared.place.handing === epoch) return stay(handedOver(cleared))
  if (isAt(cleared, 'wait')) {
    const { stage } = cleared.place
    if (cleared.place.epoch !== epoch || stage === 'entering') return stay(cleared)
    if (stage === 'yielding' || stage === 'claiming') return claimAsWaiting(cleared)
    return stay(deciding(cleared, cleared.cause))
  }
  if (isAt(cleared, 'second') && cleared.place.epoch === epoch) {
    const { stage } = cleared.place
    if (stage === 'yielding' || stage === 'claiming') return claimAsSecond(cleared)
    return stage === 'joining' || stage === 'leading' ? join(cleared) : stay(cleared)
  }
  if (isAt(cleared, 'alone', 'prim') && cleared.place.degrading?.limit === epoch) {
    return limitReached(cleared)
  }
  if (isAt(cleared, 'alone', 'prim') && cleared.place.degrading?.epoch === epoch) {
    return takeRight(cleared)
  }
  if (isAt(cleared, 'alone', 'prim') && cleared.place.proving === epoch) return prove(cleared)
  return stay(cleared)
}

/** While both nodes have the same, the time of it is kept; a node that is isolated later can tell how old its data are. */
function onTicked(state: State, wallMs: number): Step {
  if (state.config.syncdeltaMs === 0) return stay(state)
  if (isAt(state, 'wait')) return serveByDelta(state, wallMs)
  const isLive = isAt(state, 'second') && state.place.stage === 'live'
  const isWhole = isAt(state, 'prim') && state.place.degrading === undefined
  return isLive || isWhole ? remember(state, { syncedMs: wallMs }) : stay(state)
}
