/** WAIT: the module is started and finds out, from evidence, which role is right for it. */
import type { TransitionAction } from '@holdfast/sdk'
import { leader, relateData, standing } from './leader.js'
import { descend, formatGeneration } from './lineage.js'
import { claimable, isUnproved } from './proof.js'
import {
  andThen,
  ask,
  type At,
  become,
  peerView,
  remember,
  serves,
  stay,
  tell,
  viewOf,
  within,
} from './plan.js'
import type { State, Step, View } from './types.js'

type Waiting = At<'wait'>

/** Looks at all facts anew; called after each event that changed one. */
export function reconsiderWait(state: Waiting): Step {
  if (state.place.stage === 'entering') return stay(state)
  if (state.place.hold !== undefined) return stay(held(state, state.place.hold))
  const view = peerView(state)
  if (view !== undefined) return decideWith(state, view)
  if (state.peer.life === 'silent') return decideWithout(state)
  const cause =
    state.peer.life === 'heard'
      ? `waits for the message stream to ${state.config.peer}`
      : `listens for ${state.config.peer}`
  return stay(deciding(state, cause))
}

function decideWith(state: Waiting, theirs: View): Step {
  const { peer } = state.config
  if (serves(theirs.role)) return joinOrBlock(state, theirs)
  if (theirs.role === 'demoting')
    return stay(deciding(state, `${peer} is stopping its application`))
  if (state.place.demand === 'prim') return askToLead(state, true)
  if (state.peer.agreed) return stay(deciding(state, `${peer} is about to serve`))
  switch (leader(state.config, viewOf(state), theirs)) {
    case 'me':
      return askToLead(state, false)
    case 'peer':
      return theirs.role === 'stop' || theirs.held
        ? stay(
            blocked(
              state,
              `the current data is on ${peer}${theirs.held ? ', which was told to wait' : ''}`,
              `start the module on ${peer}; "prim" here would lose what is only there`,
            ),
          )
        : stay(deciding(state, `${peer} has the data and is to serve`))
    case 'diverged':
      return divergedFrom(state, theirs)
    case 'nobody':
      return stay(nobodyHasData(state, theirs))
  }
}

/** The peer serves: follow it, unless this node has something that the peer has not. */
function joinOrBlock(state: Waiting, theirs: View): Step {
  const relation = relateData(state.memory, theirs.memory)
  const mayFollow = state.place.full || relation === 'same' || relation === 'behind'
  if (!mayFollow) return divergedFrom(state, theirs)
  const { state: asked, epoch } = ask(state)
  const next = become(
    asked,
    { role: 'second', stage: 'entering', epoch, full: state.place.full },
    `${state.config.peer} serves`,
  )
  return stay(next, { kind: 'enter', epoch, from: 'wait', to: 'second', action: 'start' })
}

/** Nobody serves without the other's consent while they can talk. */
function askToLead(state: Waiting, forced: boolean): Step {
  if (state.place.stage === 'leading') return stay(state)
  const { state: asked, epoch } = ask(state)
  const place = { ...state.place, stage: 'leading' as const, epoch }
  const next = become(asked, place, `asks ${state.config.peer} to agree`)
  const lead = tell({ kind: 'lead', epoch, forced, view: viewOf(next) })
  return stay(next, lead, within(epoch, state.config.timeoutMs))
}

/** The peer is silent: what is known for certain here decides, or a witness, or nobody. */
function decideWithout(state: Waiting): Step {
  const { memory, config, place } = state
  if (place.demand === 'prim') return startServing(state, 'the operator ordered it')
  if (memory.data !== 'current') {
    return stay(
      blocked(
        state,
        `the data here is not current and ${config.peer} is silent`,
        `start ${config.peer}, or "prim" here to serve what is here`,
      ),
    )
  }
  if (!memory.paired && !isUnproved(state))
    return startServing(state, `has the only current data and ${config.peer} is silent`)
  if (isFailoverRefused(state)) {
    return stay(
      blocked(
        state,
        `${config.peer} served last and is silent, and failover is off`,
        `start ${config.peer}; if it is lost for good, "stop" then "prim" here`,
      ),
    )
  }
  if (!config.hasWitness) {
    return stay(
      blocked(
        state,
        `${config.peer} is silent and may have newer data`,
        `start ${config.peer}; if it is lost for good, "stop" then "prim" here`,
      ),
    )
  }
  if (place.stage === 'yielding' || place.stage === 'claiming') return stay(state)
  const { state: asked, epoch } = ask(state)
  const cause = `${config.peer} is silent: gives it the time to go on or to stop`
  const next = become(asked, { ...place, stage: 'yielding', epoch }, cause)
  return stay(next, within(epoch, config.takeoverDelayMs))
}

/** With failover off nobody takes over from the node that made this generation; that one itself may go on. */
function isFailoverRefused({ config, memory }: Waiting): boolean {
  return !config.failover && memory.generation.owner !== config.self
}

/** The time of the other node is over, or the witness gave no right some time ago. */
export function claimAsWaiting(state: Waiting): Step {
  const { state: asked, epoch } = ask(state)
  const place = { ...state.place, stage: 'claiming' as const, epoch }
  const isFirst = state.place.stage !== 'claiming'
  const next = isFirst ? become(asked, place, 'asks the witness') : { ...asked, place }
  return stay(next, { kind: 'claim', epoch, generation: claimable(state) })
}

/**
 * Alone after a power cut of both nodes, without a witness: the operator said how much may be lost rather than to wait
 * for the other node. Only while nothing says that the other one went on.
 */
export function serveByDelta(state: Waiting, wallMs: number): Step {
  const { memory, config, peer, place } = state
  const isIsolated =
    peer.life === 'silent' && place.stage === 'deciding' && place.hold === undefined
  const isPossible = !config.hasWitness && memory.data === 'current' && memory.paired
  if (!isIsolated || !isPossible || isFailoverRefused(state)) return stay(state)
  if (memory.syncedMs === undefined) return stay(state)
  const agoMs = wallMs - memory.syncedMs
  if (agoMs < 0 || agoMs > config.syncdeltaMs) return stay(state)
  const seconds = String(Math.ceil(agoMs / 1_000))
  const cause = `syncdelta: in sync with ${config.peer} ${seconds} s ago; what it wrote since then is given up`
  return startServing(state, cause)
}

/** Told to wait: it agrees when the other node wants to serve, and does nothing else. */
function held(state: Waiting, why: string): State {
  return blocked(state, `told to wait: ${why}`, 'goes on when that is over, or with "start"')
}

/** The right is there: what it means goes to disk, then the application is brought up. */
export function startServing(state: At<'wait' | 'second'>, cause: string, unproved = false): Step {
  const { place, memory, config } = state
  const peerNumber = peerView(state)?.memory.generation.number ?? 0
  const demanded = place.role === 'wait' && place.demand === 'prim'
  // Whoever may have been left behind must be recognisable by an older generation.
  const renew = memory.paired || memory.data !== 'current'
  const by = { owner: config.self, mark: state.epoch }
  const atLeast = Math.max(memory.generation.number, demanded ? peerNumber : 0)
  // A copy that was never finished descends from nothing: whoever has more must not be overwritten unasked.
  const lineage = renew ? descend(standing(memory), by, atLeast) : memory
  const from = place.role
  const action: TransitionAction = 'start'
  const { state: asked, epoch } = ask(state)
  const kept = remember(asked, {
    generation: lineage.generation,
    history: lineage.history,
    data: 'current',
    paired: false,
    wasPrim: true,
    unproved,
  })
  return andThen(kept, (next) =>
    stay(
      become(
        next,
        {
          role: 'alone',
          stage: 'entering',
          from,
          epoch,
          follower: undefined,
          degrading: undefined,
          waiting: undefined,
          fullNext: place.role === 'wait' && place.full,
          proving: undefined,
        },
        cause,
      ),
      ...(from === 'second' ? [{ kind: 'unfollow' as const }] : []),
      { kind: 'enter', epoch, from, to: 'alone', action },
    ),
  )
}

/** Back to looking at the facts; a late answer to what was asked before is ignored. */
export function deciding(state: Waiting, cause: string): State {
  return become(state, { ...state.place, stage: 'deciding', epoch: state.epoch }, cause)
}

export function blocked(state: Waiting, cause: string, hint: string): State {
  return become(state, { ...state.place, stage: 'deciding', epoch: state.epoch }, cause, hint)
}

/** Also when the other node is gone this one may not go on as if it had everything: it would hide what was acknowledged there. */
function divergedFrom(state: Waiting, theirs: View): Step {
  const { peer, self } = state.config
  const mine = formatGeneration(state.memory.generation)
  const other = formatGeneration(theirs.memory.generation)
  const waiting = blocked(
    state,
    `the data of ${self} (${mine}) and ${peer} (${other}) each have writes that the other has not`,
    `decide whose data to keep: there "prim", on the other node "second fullsync" (its own writes are given up)`,
  )
  return state.memory.paired ? stay(waiting) : remember(waiting, { paired: true })
}

function nobodyHasData(state: Waiting, theirs: View): State {
  const first = state.memory.data === 'none' && theirs.memory.data === 'none'
  return first
    ? blocked(
        state,
        'first start: no node has been told to have the good data',
        'on the node with the good data: "stop", then "prim"',
      )
    : blocked(
        state,
        'neither node has complete current data',
        'on the better node: "stop", then "primforce"',
      )
}
