/** ALONE and PRIM: the application runs here; the peer is let in, and let go by the degrade protocol only. */
import { demote } from './demote.js'
import { relateData } from './leader.js'
import { commonAncestor, descend, formatGeneration, sameGeneration } from './lineage.js'
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
  within,
} from './plan.js'
import { claimable, isUnproved, proveLater } from './proof.js'
import type { Action, Follower, State, Step, View } from './types.js'

export type Serving = At<'alone' | 'prim'>

/** Pause before a witness that gave no clear answer is asked again, while the time for it lasts. */
const askAgainMs = 500

/** Looks at all facts anew; called after each event that changed one. */
export function reconsiderServing(state: Serving): Step {
  const view = peerView(state)
  if (view !== undefined && serves(view.role)) return twoServe(state, view)
  if (view !== undefined && relateData(state.memory, view.memory) === 'behind') {
    return lose(state, `${state.config.peer} went on without this node meanwhile`)
  }
  if (state.place.degrading !== undefined) return reconsiderDegrading(state)
  if (state.place.stage !== 'ready') return stay(state)
  if (!isUnproved(state) || state.place.proving !== undefined) return follower(state, view)
  const asked = proveLater(state)
  return andThen(asked, () => follower(asked.next, view))
}

/** PRIM exactly while the peer is known to be current and ready. */
function follower(state: Serving, view: View | undefined): Step {
  const { place } = state
  const depends = place.follower !== undefined && place.follower.stage !== 'copying'
  if (depends && isGone(state, view))
    return degrade(state, `${state.config.peer} no longer follows`)
  const isSecond =
    place.follower !== undefined &&
    place.follower.stage !== 'copying' &&
    view?.role === 'second' &&
    view.ready &&
    sameGeneration(view.memory.generation, state.memory.generation)
  if (!isSecond) return stay(state)
  // At once, also before the pair is shown as whole: nothing else would bring this rule up again for a while.
  if (wantsBack(state, view)) return swap(state, `${state.config.peer} is preferred`)
  if (place.role === 'prim') return stay(state)
  const synced: Follower = { ...place.follower, stage: 'synced' }
  const cause = `${state.config.peer} is up to date`
  const next = become(state, { ...place, role: 'prim', follower: synced }, cause)
  return stay(next, { kind: 'shift', from: 'alone', to: 'prim' })
}

/** The link tells as a rule first; a module without replicated data has no link. */
function isGone(state: Serving, view: View | undefined): boolean {
  if (view !== undefined) return view.role !== 'second'
  return state.peer.life === 'silent'
}

function wantsBack(state: Serving, peer: View): boolean {
  const { defaultprim } = state.config
  if (defaultprim === 'lastprim') return peer.memory.wasPrim
  return defaultprim === state.config.peer
}

/** Planned exchange of the roles: the follower has everything and takes over when it sees this node waiting. */
export function swap(state: Serving, cause: string): Step {
  const kept = remember(state, { wasPrim: false })
  return andThen(kept, (next) => demote({ ...next, place: state.place }, 'wait', 'swap', cause))
}

/** The peer asks to be let in. */
export function admit(state: Serving, epoch: number, full: boolean, theirs: View): Step {
  const { place } = state
  const relation = relateData(state.memory, theirs.memory)
  const mayFollow = full || relation === 'ahead' || relation === 'same'
  if (!mayFollow) {
    return stay(
      state,
      tell({ kind: 'disagreed', epoch, reason: 'its data has writes that are not here' }),
    )
  }
  const waiting = { epoch, full, number: theirs.memory.generation.number }
  const asked = become(state, { ...place, waiting }, state.cause, state.hint)
  if (place.degrading !== undefined) return stay(asked)
  // A follower that asks again has lost the link, even when that was not noticed here yet.
  if (place.follower !== undefined && place.follower.stage !== 'copying') {
    return degrade(
      { ...asked, place: { ...place, waiting } },
      'the follower asks to be let in again',
    )
  }
  return admitWaiting({ ...asked, place: { ...place, waiting } })
}

export function admitWaiting(state: Serving): Step {
  const { place } = state
  if (place.waiting === undefined || place.degrading !== undefined || place.stage === 'entering') {
    return stay(state)
  }
  const { epoch, number } = place.waiting
  const full = place.waiting.full || place.fullNext
  const next = become(
    state,
    { ...place, follower: { epoch, stage: 'copying', number }, waiting: undefined },
    `${state.config.peer} joins`,
  )
  return stay(next, { kind: 'admit', epoch, full })
}

/**
 * From now on no write is acknowledged without the follower: this goes to disk before it may call itself current.
 *
 * The whole pair gets a generation of its own. The follower may have asked the witness for the right to the next one
 * before it joined, and not used it: that number is granted, and nobody else would ever get it. While it copied it could
 * not use it any more, so both now leave it behind. The number of what an operator gave up is left behind as well.
 */
export function copyFinished(state: Serving, epoch: number): Step {
  const { place } = state
  if (place.follower?.epoch !== epoch || place.follower.stage !== 'copying') return stay(state)
  const { number } = place.follower
  const live: Follower = { epoch, stage: 'live', number }
  const lineage = descend(state.memory, { owner: state.config.self, mark: state.epoch }, number)
  const kept = remember(state, { ...lineage, paired: true, unproved: false })
  return andThen(kept, (next) =>
    stay(
      become(
        next,
        { ...place, follower: live, fullNext: false, proving: undefined },
        next.cause,
        next.hint,
      ),
      syncedMessage(next, epoch),
    ),
  )
}

/** Tells the follower that it is current; it is told again when the stream was lost meanwhile. */
export function syncedMessage(state: State, epoch: number): Action {
  const { generation, history } = state.memory
  return tell({ kind: 'synced', epoch, lineage: { generation, history } })
}

/** The link to the follower is gone. If writes depended on it they wait now, until one of the ways below is done. */
export function linkLost(state: Serving, epoch: number, cause: string): Step {
  const { place } = state
  if (place.follower?.epoch !== epoch) return stay(state)
  // Told again by the successor of a data plane: the wait for the right must not begin anew, the other node waits only once.
  if (place.degrading !== undefined) return stay(state)
  if (place.follower.stage === 'copying') {
    return stay(
      become(state, { ...place, follower: undefined }, `the copy was interrupted: ${cause}`),
    )
  }
  return degrade(state, `replication was lost: ${cause}`)
}

function degrade(state: Serving, cause: string): Step {
  const { state: asked, epoch } = ask(state)
  const { config } = state
  const isLimited = config.hasWitness && config.isolation === 'wait'
  const limit = isLimited ? epoch : undefined
  const place = { ...state.place, degrading: { stage: 'held' as const, epoch, limit } }
  const held = stay(
    { ...become(asked, place, cause), place },
    ...limited(limit, config.rightTimeoutMs),
  )
  return andThen(held, (next) => reconsiderDegrading({ ...next, place }))
}

/** The timer that ends the wait for the right. */
export function limited(limit: number | undefined, delayMs: number): readonly Action[] {
  if (limit === undefined) return []
  return [{ kind: 'arm', timer: 'limit', epoch: limit, delayMs }]
}

/** Neither the peer nor the witness answered in time: the other node may have got the right, and will serve soon. */
export function limitReached(state: Serving): Step {
  const { peer } = state.config
  return demote(state, 'wait', 'stopwait', `neither ${peer} nor the witness let it go on in time`)
}

/** First choice: the peer itself says that it is stale now. Else a right is needed. */
function reconsiderDegrading(state: Serving): Step {
  const { place, config } = state
  const { degrading } = place
  if (degrading === undefined) return stay(state)
  if (state.peer.life === 'silent') {
    const asked = degrading.stage === 'claiming' || degrading.stage === 'waiting'
    return asked ? stay(state) : takeRight(state)
  }
  // What the witness says counts even when the peer is heard again: a refusal means that it went on.
  if (degrading.stage === 'outdating' || degrading.stage === 'claiming') return stay(state)
  const { state: asked, epoch } = ask(state)
  const outdating = { ...degrading, stage: 'outdating' as const, epoch }
  const next = become(asked, { ...place, degrading: outdating }, state.cause)
  const { generation } = descend(state.memory, { owner: config.self, mark: epoch })
  // Not connected: the question is lost, and asked again when the stream is back; the timer bounds the wait.
  // Who has a witness leaves time to ask it, before the other node may.
  const delayMs = config.hasWitness ? config.rightTimeoutMs / 2 : config.timeoutMs
  return stay(next, tell({ kind: 'outdate', epoch, generation }), within(epoch, delayMs))
}

/** The peer can't be asked: a witness, or what the operator chose for this case. */
export function takeRight(state: Serving): Step {
  const { config, place } = state
  if (place.degrading === undefined) return stay(state)
  if (!config.hasWitness) return withoutWitness(state)
  const { state: asked, epoch } = ask(state)
  const claiming = { ...place.degrading, stage: 'claiming' as const, epoch }
  const next = become(asked, { ...place, degrading: claiming }, state.cause)
  return stay(next, { kind: 'claim', epoch, generation: claimable(state) })
}

export function withoutWitness(state: Serving): Step {
  const { config, place } = state
  if (config.isolation === 'alone') return goAlone(state, config.hasWitness)
  if (place.degrading === undefined) return stay(state)
  const { state: asked, epoch } = ask(state)
  const held = { ...place, degrading: { ...place.degrading, stage: 'waiting' as const, epoch } }
  const next = become(
    asked,
    held,
    `${config.peer} is silent and this node may not go on alone: writes wait`,
    `start ${config.peer}; if it is lost for good, "stop" then "prim" here`,
  )
  const again = place.degrading.limit === undefined ? config.timeoutMs : askAgainMs
  return stay(next, within(epoch, again))
}

/**
 * The right was obtained, or is asked for afterwards (`unproved`). Disk first; only then the writes that wait are
 * released.
 */
export function goAlone(state: Serving, unproved = false): Step {
  const { place, config } = state
  const lineage = descend(state.memory, { owner: config.self, mark: state.epoch })
  const kept = remember(state, { ...lineage, paired: false, unproved })
  const wasPrim = place.role === 'prim'
  const why = unproved ? ' and without a witness, as the operator chose' : ''
  return andThen(kept, (next) => {
    const alone = {
      ...place,
      role: 'alone' as const,
      follower: undefined,
      degrading: undefined,
    }
    const epoch = place.follower?.epoch ?? next.epoch
    const gone = {
      ...become(next, alone, `goes on without ${config.peer}${why}: ${state.cause}`),
      place: alone,
    }
    const released = stay(gone, { kind: 'detach', epoch, generation: lineage.generation })
    const shifted = wasPrim
      ? andThen(released, (s) => stay(s, { kind: 'shift', from: 'prim', to: 'alone' }))
      : released
    return andThen(shifted, () => admitWaiting(gone))
  })
}

/** Both serve: a split that the operator's choice allowed, or an old server that was forgotten. */
function twoServe(state: Serving, theirs: View): Step {
  const relation = relateData(state.memory, theirs.memory)
  const { self, peer } = state.config
  if (relation === 'behind')
    return lose(state, `${peer} serves newer data (${formatGeneration(theirs.memory.generation)})`)
  if (relation === 'ahead') return stay(state)
  if (relation === 'same') {
    const mine = state.memory.generation.owner === self
    return mine ? stay(state) : lose(state, `${peer} serves the same generation`)
  }
  const common = commonAncestor(state.memory, theirs.memory)
  const winner =
    common?.owner === self || common?.owner === peer ? common.owner : self < peer ? self : peer
  if (winner === self) return stay(state)
  return lose(
    state,
    `both nodes served after they were cut off; ${peer} was the primary and goes on`,
  )
}

function lose(state: Serving, cause: string): Step {
  return demote(state, 'wait', 'stopwait', cause)
}
