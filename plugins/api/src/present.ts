/** What the API shows of a module, made from what the core says of it. */
import type { ControlEvent, ModuleState, ModuleView } from '@holdfast/sdk'

export type StateAnswer = ModuleState & { readonly stable: boolean }
export type ModuleAnswer = Omit<ModuleView, 'state'> & { readonly state: StateAnswer | undefined }

/**
 * Stable: nothing more will happen by itself. A serving or following role is stable when it is Ready;
 * STOP and WAIT are stable when they are NotReady (stopped, or blocked until somebody acts).
 */
export function isStable(state: ModuleState): boolean {
  const resting = state.role === 'STOP' || state.role === 'WAIT'
  return state.sub === (resting ? 'NotReady' : 'Ready')
}

export function presentState(state: ModuleState): StateAnswer {
  return { ...state, stable: isStable(state) }
}

export function presentModule(view: ModuleView): ModuleAnswer {
  return { ...view, state: view.state === undefined ? undefined : presentState(view.state) }
}

/** The module that an event is about. Undefined: the cluster, or the node itself. */
export function moduleOf(event: ControlEvent): string | undefined {
  if (event.kind === 'moduleState') return event.module
  return event.kind === 'logged' ? event.entry.module : undefined
}
