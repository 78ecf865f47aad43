/** Stepping down: until the application has really stopped, the node is neither waiting nor stopped. */
import type { TransitionAction, Verdict } from '@holdfast/sdk'
import { ask, type At, become, isAt, peerView, stay, within } from './plan.js'
import { isUnproved } from './proof.js'
import type { State, Step } from './types.js'

/** A node that followed asks for its consent within milliseconds; one that does not has its reasons. */
const handOverMs = 2_000

export type Demotable = At<'alone' | 'prim' | 'second' | 'wait'>

/** Begins to leave the role. The next step comes with `left`. */
export function demote(
  state: Demotable,
  to: 'wait' | 'stop',
  action: TransitionAction,
  cause: string,
  hint?: string,
): Step {
  const from = state.place.role
  const { state: asked, epoch } = ask(state)
  const demand = state.place.role === 'wait' ? state.place.demand : 'none'
  const full = state.place.role === 'wait' && state.place.full
  const hold = state.place.role === 'wait' ? state.place.hold : undefined
  const { dependsOn, copies, waits } = dependence(state)
  const next = become(
    asked,
    {
      role: 'demoting',
      from,
      to,
      action,
      epoch,
      dependsOn,
      copies,
      demand,
      full,
      hold,
      failure: undefined,
      // An order to stop that comes while nobody let it go on is not a right to take one's time either.
      isRefused: waits || ((from === 'alone' || from === 'prim') && isUnproved(state)),
    },
    cause,
    hint,
  )
  // A node that follows must not apply anything more once it says that it does not.
  const unfollow = from === 'second' ? [{ kind: 'unfollow' as const }] : []
  const first = from === 'wait' ? 'stop' : 'wait'
  // A program that waits in a write can't be stopped, not even killed.
  const refuse = waits ? [{ kind: 'refuse' as const }] : []
  return stay(next, ...unfollow, ...refuse, { kind: 'leave', epoch, from, to: first, action })
}

/** Do writes depend on a follower, and do they wait for one that is gone? */
function dependence({ place }: Demotable): {
  dependsOn: number | undefined
  copies: number | undefined
  waits: boolean
} {
  if (place.role !== 'alone' && place.role !== 'prim') {
    return { dependsOn: undefined, copies: undefined, waits: false }
  }
  const { follower, degrading } = place
  const isCopying = follower?.stage === 'copying'
  return {
    dependsOn: isCopying ? undefined : follower?.epoch,
    copies: isCopying ? follower.epoch : undefined,
    waits: degrading !== undefined,
  }
}

/** A copy was finished while the application stops: its last writes depend on the follower as well. */
export function nowDepends(state: At<'demoting'>, epoch: number): State {
  const { from } = state.place
  const served = from === 'alone' || from === 'prim'
  return served ? { ...state, place: { ...state.place, dependsOn: epoch } } : state
}

/** The resources of the old role are down, or could not be brought down. */
export function afterLeave(state: At<'demoting'>, verdict: Verdict): Step {
  const { place } = state
  if (!verdict.ok) {
    const hint = 'nothing is handed over while it may still run: end it by hand, then "forcestop"'
    const failed = { ...place, failure: verdict.reason }
    return stay(become(state, failed, `could not stop: ${verdict.reason}`, hint))
  }
  if (place.to === 'wait') return stay(backToWait(state))
  if (place.from === 'wait') return stopped(state)
  const { state: asked, epoch } = ask(state)
  const left = { ...place, from: 'wait' as const, epoch, failure: undefined }
  const next = become(asked, left, state.cause, state.hint)
  return stay(next, { kind: 'leave', epoch, from: 'wait', to: 'stop', action: place.action })
}

/**
 * A node that goes down right after this, with its machine, must not leave before the other one has its consent: that
 * one would wait for the silence to be long enough.
 */
function stopped(state: At<'demoting'>): Step {
  const isFollowed = state.place.dependsOn !== undefined && peerView(state)?.role === 'second'
  if (!isFollowed) return stay(become(state, { role: 'stop' }, state.cause, state.hint))
  const { state: asked, epoch } = ask(state)
  return stay(
    become(asked, { role: 'stop', handing: epoch }, state.cause, state.hint),
    within(epoch, handOverMs),
  )
}

/** The other node took over, is not there any more, or did not ask in time. */
export function handedOver(state: State): State {
  const isHanding = isAt(state, 'stop') && state.place.handing !== undefined
  return isHanding ? become(state, { role: 'stop' }, state.cause, state.hint) : state
}

/** Tries again to stop what did not stop. */
export function retryLeave(state: At<'demoting'>): Step {
  const { place } = state
  const { state: asked, epoch } = ask(state)
  const next = become(asked, { ...place, epoch, failure: undefined }, 'tries again to stop')
  const to = place.from === 'wait' ? 'stop' : 'wait'
  return stay(next, { kind: 'leave', epoch, from: place.from, to, action: 'stop' })
}

function backToWait(state: At<'demoting'>): State {
  const { demand, full, hold } = state.place
  return become(
    state,
    { role: 'wait', stage: 'deciding', epoch: state.epoch, demand, full, hold },
    state.cause,
  )
}
