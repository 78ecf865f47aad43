/** What the operator sees of the machine's state. */
import {
  assertNever,
  type ModuleState,
  type Progress,
  type RoleName,
  type SubState,
} from '@holdfast/sdk'
import { formatGeneration } from '../decide/lineage.js'
import { isReady } from '../decide/plan.js'
import type { MirrorRole, Place, State } from '../decide/types.js'

export function present(
  state: State,
  sinceMs: number,
  progress: Progress | undefined,
): ModuleState {
  const { place, memory, peer, config } = state
  const copying = place.role === 'second' && place.stage === 'copying'
  const admitting = 'follower' in place && place.follower?.stage === 'copying'
  return {
    role: roleName(place.role),
    sub: subState(state),
    detail: detailOf(state),
    cause: state.cause,
    hint: state.hint,
    sinceMs,
    generation: memory.generation.number === 0 ? undefined : formatGeneration(memory.generation),
    progress: copying || admitting ? progress : undefined,
    remote: {
      node: config.peer,
      role: peer.view === undefined ? 'UNKNOWN' : roleName(peer.view.role),
      sub: peer.view === undefined ? undefined : peer.view.ready ? 'Ready' : undefined,
    },
  }
}

export function roleName(role: MirrorRole): RoleName {
  switch (role) {
    case 'stop':
      return 'STOP'
    case 'wait':
    case 'demoting':
      return 'WAIT'
    case 'alone':
      return 'ALONE'
    case 'prim':
      return 'PRIM'
    case 'second':
      return 'SECOND'
    default:
      return assertNever(role)
  }
}

function subState({ place, hint }: State): SubState {
  if (place.role === 'stop') return 'NotReady'
  if (place.role === 'demoting') return place.failure === undefined ? 'Transient' : 'NotReady'
  // Whoever waits and tells the operator what to do does not go on by itself.
  if (place.role === 'wait') return hint === undefined ? 'Transient' : 'NotReady'
  return isReady(place) ? 'Ready' : 'Transient'
}

function detailOf({ place, memory }: State): string {
  if (isDegrading(place)) return 'degraded: writes wait'
  return memory.data === 'current' ? 'uptodate' : 'not uptodate'
}

function isDegrading(place: Place): boolean {
  return (place.role === 'alone' || place.role === 'prim') && place.degrading !== undefined
}
