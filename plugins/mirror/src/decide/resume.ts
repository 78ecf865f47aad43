/** After a restart of the daemon: the place is where it was; whatever was asked is asked again. */
import type { Role } from '@holdfast/sdk'
import { retryLeave } from './demote.js'
import { isAt, stay } from './plan.js'
import { join } from './second.js'
import type { State, Step } from './types.js'
import { deciding } from './wait.js'

/** Resources adopt what runs before this is called; here the machine goes on. */
export function resume(state: State): Step {
  if (isAt(state, 'demoting')) return retryLeave(state)
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
    if (state.place.stage === 'restarting') {
      return stay(state, { kind: 'restart', epoch: state.place.epoch, role: state.place.role })
    }
  }
  return stay(state)
}

function enter(epoch: number, from: Role, to: Role) {
  return { kind: 'enter' as const, epoch, from, to, action: 'start' as const }
}
