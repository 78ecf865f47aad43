/** The small pieces every role's rules are made of. */
import type { Role } from '@holdfast/sdk'
import type {
  Action,
  Memory,
  Message,
  MirrorRole,
  Place,
  PlaceOf,
  State,
  Step,
  View,
} from './types.js'

/** A state whose place is known to be of role `R`. */
export type At<R extends MirrorRole> = State & { readonly place: PlaceOf<R> }

export function isAt<R extends MirrorRole>(state: State, ...roles: readonly R[]): state is At<R> {
  return roles.some((role) => role === state.place.role)
}

export function stay(state: State, ...actions: readonly Action[]): Step {
  return { next: state, actions }
}

/** The one door to another place: whoever changes the role says why. */
export function become(state: State, place: Place, cause: string, hint?: string): State {
  return { ...state, place, cause, hint }
}

/** Runs `rule` on the outcome of `step`; its actions come after. */
export function andThen(step: Step, rule: (state: State) => Step): Step {
  const second = rule(step.next)
  return { next: second.next, actions: [...step.actions, ...second.actions] }
}

/** A number for the next question. */
export function ask(state: State): { readonly state: State; readonly epoch: number } {
  const epoch = state.epoch + 1
  return { state: { ...state, epoch }, epoch }
}

export function tell(message: Message): Action {
  return { kind: 'tell', message }
}

/** The time after which the question of this number is asked again, or given up. */
export function within(epoch: number, delayMs: number): Action {
  return { kind: 'arm', timer: 'question', epoch, delayMs }
}

export function remember(state: State, change: Partial<Memory>): Step {
  const memory = { ...state.memory, ...change }
  return { next: { ...state, memory }, actions: [{ kind: 'persist', memory }] }
}

/** What the peer is told, and what the role looks like from outside. */
export function viewOf(state: State): View {
  const { place, memory } = state
  const held = place.role === 'wait' && place.hold !== undefined
  return { role: place.role, ready: isReady(place), held, memory }
}

export function isReady(place: Place): boolean {
  switch (place.role) {
    case 'alone':
    case 'prim':
      return place.stage === 'ready' && place.degrading === undefined
    case 'second':
      return place.stage === 'live'
    case 'stop':
    case 'wait':
    case 'demoting':
      return false
  }
}

export function serves(role: MirrorRole): boolean {
  return role === 'alone' || role === 'prim'
}

/** The role as resources and scripts know it: a node that steps down is on its way to waiting. */
export function plainRole(role: MirrorRole): Role {
  return role === 'demoting' ? 'wait' : role
}

/** The peer's view, as far as it may be trusted now: a silent peer's stream is only not closed yet. */
export function peerView(state: State): View | undefined {
  return state.peer.connected && state.peer.life !== 'silent' ? state.peer.view : undefined
}
