/** What the operator sees of the machine's state. */
import type { ModuleState, RoleName, SubState } from '@holdfast/sdk'
import type { State } from './types.js'

export function present(state: State, sinceMs: number): ModuleState {
  return {
    role: roleName(state),
    sub: subState(state),
    detail: undefined,
    cause: state.cause,
    hint: state.hint,
    sinceMs,
    generation: undefined,
    progress: undefined,
    remote: undefined,
  }
}

function roleName({ place }: State): RoleName {
  switch (place.role) {
    case 'stop':
      return 'STOP'
    case 'wait':
    case 'leaving':
      return 'WAIT'
    case 'up':
      return 'UP'
  }
}

function subState({ place }: State): SubState {
  switch (place.role) {
    case 'stop':
      return 'NotReady'
    case 'wait':
      return place.stage === 'held' ? 'NotReady' : 'Transient'
    case 'leaving':
      return place.failure === undefined ? 'Transient' : 'NotReady'
    case 'up':
      return place.stage === 'ready' ? 'Ready' : 'Transient'
  }
}
