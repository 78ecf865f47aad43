/** maxloop: automatic restarts are counted; too many in the interval stop the module instead. */
import { countLoop as withLoop, isOverMaxloop } from '@holdfast/sdk'
import { demote, type Demotable } from './demote.js'
import type { State, Step } from './types.js'

const hint = 'remove the cause, then "start"'

/** An operator's own command begins a new count. */
export function resetLoops(state: State): State {
  return { ...state, loops: [] }
}

export function countLoop(state: State, wallMs: number): State {
  return { ...state, loops: withLoop(state.loops, wallMs, state.config) }
}

export function overMaxloop(state: State): boolean {
  return isOverMaxloop(state.loops, state.config)
}

/** Stop and start again because something failed here; the peer takes over meanwhile if it can. */
export function failOver(state: Demotable, cause: string, wallMs: number): Step {
  const counted = { ...countLoop(state, wallMs), place: state.place }
  return overMaxloop(counted)
    ? stopByMaxloop(counted, cause)
    : demote(counted, 'wait', 'stopstart', cause)
}

export function stopByMaxloop(state: Demotable, cause: string): Step {
  return demote(state, 'stop', 'stop', `stopped by maxloop: ${cause}`, hint)
}
