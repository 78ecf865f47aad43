/**
 * Going on by the operator's choice while no witness answers: the right is asked for afterwards, until there is an answer.
 * Without that the other node could get the right to the same generation hours later, and both would serve.
 */
import { ask, type At, become, remember, stay, within } from './plan.js'
import type { Action, State, Step } from './types.js'

type Serving = At<'alone' | 'prim'>

/** It went on in this generation by choice, and there is a witness that can still be asked. */
export function isUnproved({ memory, config }: State): boolean {
  return memory.unproved === true && config.hasWitness
}

/** The number to claim: a generation that was begun without the right is itself what the right is needed for. */
export function claimable(state: State): number {
  const { number } = state.memory.generation
  return isUnproved(state) ? number : number + 1
}

export function prove(state: Serving): Step {
  const { state: asked, epoch } = ask(state)
  const next = { ...asked, place: { ...state.place, proving: epoch } }
  return stay(next, { kind: 'claim', epoch, generation: claimable(state) })
}

/** The next time the witness is asked. */
export function proveLater(state: Serving): { next: Serving; actions: readonly Action[] } {
  const { state: asked, epoch } = ask(state)
  const next = { ...asked, place: { ...state.place, proving: epoch } }
  return { next, actions: [within(epoch, state.config.timeoutMs)] }
}

export function proved(state: Serving): Step {
  const place = { ...state.place, proving: undefined }
  const next = become(state, place, 'the witness granted afterwards that it goes on')
  return remember(next, { unproved: false })
}
