/** What a sweep of the light machine has to reach: every place, with everything that can come there. */
import type { Event, State } from '@holdfast/plugin-light/decisions'

export function placeOf({ place }: State): string {
  if (place.role === 'stop') return 'stop'
  if (place.role === 'leaving')
    return place.failure === undefined ? 'leaving/stopping' : 'leaving/failed'
  return `${place.role}/${place.stage}`
}

export function eventName(event: Event): string {
  return event.kind === 'commanded' ? `command ${event.command}` : event.kind
}

/** An answer that nobody waits for is one transition, wherever it comes. */
export function transitionOf(before: State, event: Event): string {
  const transition = `${placeOf(before)} + ${eventName(event)}`
  return known.has(transition) ? transition : `elsewhere + ${eventName(event)}`
}

const places = [
  ...['stop', 'wait/entering', 'wait/held', 'up/entering', 'up/ready', 'up/restarting'],
  ...['leaving/stopping', 'leaving/failed'],
]

const anywhere = [
  ...['start', 'stop', 'forcestop', 'restart', 'stopstart', 'wait', 'wakeup'],
  ...['swap', 'prim', 'primforce', 'second'],
].map((command) => `command ${command}`)

const answers = [
  ...['wait/entering + entered', 'up/entering + entered', 'up/restarting + restarted'],
  ...['leaving/stopping + left', 'leaving/stopping + entered', 'leaving/stopping + restarted'],
]

export const transitions: readonly string[] = [
  ...places.flatMap((place) => [...anywhere, 'adopted'].map((event) => `${place} + ${event}`)),
  ...answers,
].sort()

const known: ReadonlySet<string> = new Set(transitions)
