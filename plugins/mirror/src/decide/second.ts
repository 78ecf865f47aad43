/** SECOND: copies from the serving node until identical, follows it live, and takes over when it is gone. */
import { relateData } from './leader.js'
import { type Generation, type Lineage, relate } from './lineage.js'
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
import { demote } from './demote.js'
import { claimable } from './proof.js'
import type { Step, View } from './types.js'
import { startServing } from './wait.js'

type Second = At<'second'>

/** Pause before a join is asked again. */
const rejoinMs = 500

/** Looks at all facts anew; called after each event that changed one. */
export function reconsiderSecond(state: Second): Step {
  const { stage } = state.place
  if (stage === 'entering') return stay(state)
  const view = peerView(state)
  if (view === undefined) {
    if (state.peer.life === 'silent') return withoutPeer(state)
    // Heard again: it can be asked soon, so a right that the witness may still grant is not used.
    return stage === 'yielding' || stage === 'claiming' ? join(state) : stay(state)
  }
  if (view.role === 'demoting') {
    const isTakingOver = stage === 'yielding' || stage === 'claiming'
    // Its application may still run: what is under way here on the ground of its silence must not come to its end.
    return isTakingOver ? rejoinLater(state, `${state.config.peer} is stopping`) : stay(state)
  }
  if (!serves(view.role)) return afterPeer(state, view)
  const relation = relateData(state.memory, view.memory)
  const mayFollow = relation === 'same' || relation === 'behind' || state.memory.data === 'partial'
  if (!mayFollow) return demote(state, 'wait', 'stopwait', `${state.config.peer} serves other data`)
  if (isLeaving(state)) return join(state)
  return stay(state)
}

/** It is about to take over, and does not follow any more. */
function isLeaving({ place }: Second): boolean {
  return place.stage === 'leading' || place.stage === 'yielding' || place.stage === 'claiming'
}

/** The peer stopped serving and says so. */
function afterPeer(state: Second, theirs: View): Step {
  const { peer } = state.config
  if (state.memory.data !== 'current') {
    return demote(state, 'wait', 'stopwait', `${peer} stopped before the copy was finished`)
  }
  // It would never agree: an operator must say whose data are kept.
  if (relateData(state.memory, theirs.memory) === 'diverged') {
    return demote(state, 'wait', 'stopwait', `${peer} has other data`)
  }
  if (state.place.stage === 'leading') return stay(state)
  const { state: asked, epoch } = ask(state)
  const next = become(asked, { ...state.place, stage: 'leading', epoch }, `${peer} stopped serving`)
  const lead = tell({ kind: 'lead', epoch, forced: false, view: viewOf(next) })
  return stay(next, lead, within(epoch, state.config.timeoutMs))
}

/** Nothing is heard of the peer on any path. */
function withoutPeer(state: Second): Step {
  const { config, memory, place } = state
  if (memory.data !== 'current') {
    return demote(
      state,
      'wait',
      'stopwait',
      `${config.peer} is silent and the copy was not finished`,
    )
  }
  if (!config.failover)
    return demote(state, 'wait', 'stopwait', `${config.peer} is silent and failover is off`)
  if (config.hasWitness) {
    if (place.stage === 'yielding' || place.stage === 'claiming') return stay(state)
    const { state: asked, epoch } = ask(state)
    const cause = `${config.peer} is silent: gives it the time to go on or to stop`
    const next = become(asked, { ...place, stage: 'yielding', epoch }, cause)
    return stay(next, within(epoch, config.takeoverDelayMs))
  }
  if (config.isolation === 'alone') return startServing(state, `${config.peer} is silent`)
  return demote(
    state,
    'wait',
    'stopwait',
    `${config.peer} is silent and this node may not go on alone`,
  )
}

/** The time of the other node is over. */
export function claimAsSecond(state: Second): Step {
  const { state: asked, epoch } = ask(state)
  const cause = `${state.config.peer} is silent: asks the witness`
  const next = become(asked, { ...state.place, stage: 'claiming', epoch }, cause)
  return stay(next, { kind: 'claim', epoch, generation: claimable(state) })
}

/** Asks the serving node to be let in; also after the link was lost. */
export function join(state: Second): Step {
  const { state: asked, epoch } = ask(state)
  const place = { ...state.place, stage: 'joining' as const, epoch }
  const next = become(asked, place, `asks ${state.config.peer} to be let in`)
  const asks = tell({ kind: 'join', epoch, full: place.full, view: viewOf(next) })
  return stay(next, asks, within(epoch, state.config.timeoutMs))
}

/** Waits a moment before the next join: the serving node may be busy with the loss itself. */
export function rejoinLater(state: Second, cause: string): Step {
  const { state: asked, epoch } = ask(state)
  const next = become(asked, { ...state.place, stage: 'joining', epoch }, cause)
  return stay(next, within(epoch, rejoinMs))
}

/** Let in: from the first copied byte the tree here is neither the old nor the new one. */
export function copy(state: Second): Step {
  const kept = remember(state, { data: 'partial' })
  const { epoch, full } = state.place
  return andThen(kept, (next) =>
    stay(become(next, { ...state.place, stage: 'copying' }, `copies from ${state.config.peer}`), {
      kind: 'follow',
      epoch,
      full,
      abandons: abandoned(state),
    }),
  )
}

/**
 * The generation in which this node wrote what the serving one never had. Asked of the bare lineages: the operator gave
 * the data up (`second fullsync`), or a copy over them was interrupted, and they are still on this disk.
 */
function abandoned(state: Second): Generation | undefined {
  const theirs = state.peer.view?.memory
  if (theirs === undefined) return undefined
  const relation = relate(state.memory, theirs)
  return relation === 'diverged' || relation === 'ahead' ? state.memory.generation : undefined
}

/** The serving node requires this node's acknowledgements from now on. */
export function synced(before: Second, lineage: Lineage): Step {
  // What was told here is newer than the view of it, which follows.
  const { view } = before.peer
  const heard = view && { ...view, memory: { ...view.memory, ...lineage } }
  const state = { ...before, peer: { ...before.peer, view: heard } }
  const kept = remember(state, {
    generation: lineage.generation,
    history: lineage.history,
    data: 'current',
    paired: true,
    unproved: false,
  })
  return andThen(kept, (next) =>
    stay(
      become(
        next,
        { ...state.place, stage: 'live', full: false },
        `identical to ${state.config.peer}`,
      ),
    ),
  )
}

/** The serving node goes on without this one: its copy is stale from here on. */
export function outdated(state: Second, epoch: number): Step {
  const current = state.memory.data === 'current'
  const kept = current ? remember(state, { data: 'stale' }) : stay(state)
  return andThen(kept, (next) =>
    andThen(stay(next, tell({ kind: 'outdated', epoch })), () =>
      state.place.stage === 'live' || isLeaving(state)
        ? rejoinLater({ ...next, place: state.place }, `${state.config.peer} goes on alone`)
        : stay(next),
    ),
  )
}
