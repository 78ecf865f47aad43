/** Names places, events and steps of the mirror machine, for the trace and the list of transitions. */
import type { Event, State } from '@holdfast/plugin-mirror'

export function placeOf({ place }: State): string {
  if (place.role === 'stop') return 'stop'
  if (place.role === 'wait' && place.hold !== undefined) return 'wait/held'
  if (place.role === 'demoting') {
    return place.failure === undefined ? 'demoting/stopping' : 'demoting/failed'
  }
  const degrading = 'degrading' in place ? place.degrading?.stage : undefined
  return `${place.role}/${degrading ?? place.stage}`
}

export function eventName(event: Event): string {
  if (event.kind === 'told') return `told ${event.message.kind}`
  if (event.kind === 'commanded') return `command ${event.command}`
  return event.kind
}

export function describeStep(before: State, event: Event, next: State): string {
  const detail =
    'claim' in event
      ? ` ${event.claim}`
      : 'verdict' in event && !event.verdict.ok
        ? ` failed: ${event.verdict.reason}`
        : ''
  const { memory } = next
  const { number, owner } = memory.generation
  const data = `${number}:${owner} ${memory.data}${memory.paired ? ' paired' : ''}`
  const places = [placeOf(before), placeOf(next)]
  const moved = places[0] === places[1] ? places[0] : `${places.join(' → ')} (${next.cause})`
  return `${eventName(event)}${detail}: ${moved ?? ''} [${data}]`
}
