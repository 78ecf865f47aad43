/** After a restart of the daemon: the place is where it was; whatever was asked is asked again. */
import type { Role } from '@holdfast/sdk'
import { handedOver, retryLeave } from './demote.js'
import { andThen, isAt, remember, stay } from './plan.js'
import { join } from './second.js'
import { limited, type Serving, takeRight } from './serve.js'
import type { Action, State, Step } from './types.js'
import { deciding } from './wait.js'

/** The second that the rule for the times (docs/MIRROR.md) leaves over. */
const restOfLimitMs = 1_000

/**
 * Resources adopt what runs before this is called; here the machine goes on. The place was kept before its actions were
 * carried out, so any of them may be missing: all that matters is ordered again, and orders are safe to repeat.
 */
export function resume(state: State): Step {
  return andThen(remember(state, {}), goOn)
}

function goOn(state: State): Step {
  if (isAt(state, 'demoting')) {
    // The copy may have been finished and lost while no daemon was there to hear of it: then writes wait for nobody.
    const refuse = state.place.copies === undefined ? [] : [{ kind: 'refuse' as const }]
    return andThen(stay(state, ...refuse), () => retryLeave(state))
  }
  if (isAt(state, 'wait')) {
    return state.place.stage === 'entering'
      ? stay(state, enter(state.place.epoch, 'stop', 'wait'))
      : stay(deciding(state, 'the daemon was restarted'))
  }
  if (isAt(state, 'second')) {
    if (state.place.stage === 'entering')
      return stay(state, enter(state.place.epoch, 'wait', 'second'))
    // A live follower goes on as it is; the link's own events tell when that is no longer so.
    return state.place.stage === 'live' ? stay(state) : join(state)
  }
  if (isAt(state, 'alone', 'prim')) {
    if (state.place.stage === 'entering') {
      return stay(state, enter(state.place.epoch, state.place.from, state.place.role))
    }
    return resumeServing(state)
  }
  return stay(handedOver(state))
}

function resumeServing(state: Serving): Step {
  const { place, memory } = state
  // Writes may still wait for a follower that was given up in the last moment, even when it was let in again with that.
  const isAsked = place.follower?.stage === 'copying' && place.follower.isAdmitted !== true
  const follower = isAsked ? undefined : place.follower
  const released: readonly Action[] =
    follower === undefined && place.degrading === undefined
      ? [{ kind: 'detach', epoch: state.epoch, generation: memory.generation }]
      : []
  const restarted: readonly Action[] =
    place.stage === 'restarting' ? [{ kind: 'restart', epoch: place.epoch, role: place.role }] : []
  const degrading =
    place.degrading === undefined ? undefined : { ...place.degrading, stage: 'held' as const }
  const next = { ...state, place: { ...place, follower, degrading, proving: undefined } }
  const resumed = stay(next, ...released, ...restarted)
  if (degrading?.limit === undefined) return resumed
  // The daemon before may have used up the time for the right, and the other node waits only once: the witness says at once.
  const delayMs = Math.min(restOfLimitMs, state.config.rightTimeoutMs)
  const asked = andThen(resumed, () => takeRight(next))
  return andThen(asked, (s) => stay(s, ...limited(degrading.limit, delayMs)))
}

function enter(epoch: number, from: Role, to: Role) {
  return { kind: 'enter' as const, epoch, from, to, action: 'start' as const }
}
