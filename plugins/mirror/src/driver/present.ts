/** What the operator sees of the machine's state. */
import type { ModuleState, Progress } from '@holdfast/sdk'
import { formatGeneration } from '../decide/lineage.js'
import { shownOf, shownRole } from '../decide/shown.js'
import type { Place, State } from '../decide/types.js'

export function present(
  state: State,
  sinceMs: number,
  progress: Progress | undefined,
): ModuleState {
  const { place, memory, peer, config } = state
  const copying = place.role === 'second' && place.stage === 'copying'
  const admitting = 'follower' in place && place.follower?.stage === 'copying'
  return {
    ...shownOf(state),
    detail: detailOf(state),
    cause: state.cause,
    hint: state.hint,
    sinceMs,
    generation: memory.generation.number === 0 ? undefined : formatGeneration(memory.generation),
    progress: copying || admitting ? progress : undefined,
    remote: {
      node: config.peer,
      role: peer.view === undefined ? 'UNKNOWN' : shownRole(peer.view.role),
      sub: peer.view === undefined ? undefined : peer.view.ready ? 'Ready' : undefined,
    },
  }
}

function detailOf({ place, memory }: State): string {
  if (isDegrading(place)) return 'degraded: writes wait'
  return memory.data === 'current' ? 'uptodate' : 'not uptodate'
}

function isDegrading(place: Place): boolean {
  return (place.role === 'alone' || place.role === 'prim') && place.degrading !== undefined
}
