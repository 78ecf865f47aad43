/** By whose word a node goes on, judged from outside by the step that it took. */
import type { Event, State } from '@holdfast/plugin-mirror'
import type { Right } from './promises.js'

/** Of a node that decided to serve. */
export function rightOf(before: State, event: Event): Right {
  const isOrdered =
    event.kind === 'commanded' && (event.command === 'prim' || event.command === 'primforce')
  if (isOrdered) return 'operator'
  if (event.kind === 'claimed' && event.claim === 'unknown') return 'isolation'
  if (before.place.role === 'wait') {
    const isByChoice = before.place.demand === 'prim' || event.kind === 'ticked'
    return isByChoice ? 'operator' : 'evidence'
  }
  const isGranted = event.kind === 'claimed' && event.claim === 'granted'
  const isAgreed = event.kind === 'told' && event.message.kind === 'agreed'
  return isGranted || isAgreed ? 'evidence' : 'isolation'
}

/** A serving node releases its writes with neither the peer's word nor the witness's. */
export function goesOnByChoice(before: State, event: Event, next: State): boolean {
  const wasHeld = 'degrading' in before.place && before.place.degrading !== undefined
  const isHeld = 'degrading' in next.place && next.place.degrading !== undefined
  const goesAlone = next.place.role === 'alone' && before.memory !== next.memory && !isHeld
  const isServing = before.place.role === 'alone' || before.place.role === 'prim'
  // Silence was noticed before the loss of the link, or after it.
  const isLoss = event.kind === 'peerSilent' || event.kind === 'linkLost'
  if (!isServing || !goesAlone || (!wasHeld && !isLoss)) return false
  const isGranted = event.kind === 'claimed' && event.claim === 'granted'
  const isOutdated = event.kind === 'told' && event.message.kind === 'outdated'
  return !isGranted && !isOutdated
}

/** It went on by the operator's choice, or will as soon as its question to a witness that it can't reach has ended. */
export function goesByChoice({ place, memory, config }: State, isWitnessAway: boolean): boolean {
  const isHeld = 'degrading' in place && place.degrading !== undefined
  const isAboutTo = isHeld && config.isolation === 'alone' && isWitnessAway
  return memory.unproved === true || isAboutTo
}
