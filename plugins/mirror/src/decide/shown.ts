/** A state of the machine as the operator sees it: the role and its colour. */
import type { ModuleState } from '@holdfast/sdk'
import { isReady } from './plan.js'
import type { MirrorRole, State } from './types.js'

export type Shown = Pick<ModuleState, 'role' | 'sub'>

const names: Readonly<Record<MirrorRole, Shown['role']>> = {
  stop: 'STOP',
  wait: 'WAIT',
  demoting: 'WAIT',
  alone: 'ALONE',
  prim: 'PRIM',
  second: 'SECOND',
}

export function shownOf(state: State): Shown {
  return { role: shownRole(state.place.role), sub: subOf(state) }
}

export function shownRole(role: MirrorRole): Shown['role'] {
  return names[role]
}

function subOf({ place, hint }: State): Shown['sub'] {
  if (place.role === 'stop') return place.handing === undefined ? 'NotReady' : 'Transient'
  if (place.role === 'demoting') return place.failure === undefined ? 'Transient' : 'NotReady'
  // Whoever waits and tells the operator what to do does not go on by itself.
  if (place.role === 'wait') return hint === undefined ? 'Transient' : 'NotReady'
  return isReady(place) ? 'Ready' : 'Transient'
}
