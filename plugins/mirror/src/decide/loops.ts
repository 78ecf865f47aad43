/** maxloop: automatic restarts are counted; too many in the interval stop the module instead. */
import { demote, type Demotable } from './demote.js'
import type { State, Step } from './types.js'

/** An operator's own command begins a new count. */
export function resetLoops(state: State): State {
  return { ...state, loops: [] }
}

export function countLoop(state: State, wallMs: number): State {
  const { loopIntervalMs } = state.config
  if (loopIntervalMs === 0) return state
  const recent = state.loops.filter((at) => at > wallMs - loopIntervalMs && at <= wallMs)
  return { ...state, loops: [...recent, wallMs].slice(-100) }
}

export function overMaxloop(state: State): boolean {
  return state.config.loopIntervalMs !== 0 && state.loops.length > state.config.maxloop
}

/** Stop and start again because something failed here; the peer takes over meanwhile if it can. */
export function failOver(state: Demotable, cause: string, wallMs: number): Step {
  const counted = { ...countLoop(state, wallMs), place: state.place }
  return overMaxloop(counted)
    ? demote(counted, 'stop', 'stop', `stopped by maxloop: ${cause}`)
    : demote(counted, 'wait', 'stopstart', cause)
}
