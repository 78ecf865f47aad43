/** What a sweep of the failover machine has to reach: where the module is, what was heard, and what was ordered. */
import type { Event, State } from '@holdfast/plugin-failover/decisions'

export function placeOf({ place, held }: State): string {
  if (place.role === 'WAIT') return held === undefined ? 'WAIT' : `WAIT, held by a ${held.by}`
  return place.role === 'UP' ? `UP ${place.sub}` : place.role
}

export function transitionOf(before: State, { fact }: Event): string {
  const isBusy = before.ordering !== undefined
  const transition = `${placeOf(before)} + ${fact.kind}${isBusy ? ' while an order is open' : ''}`
  return known.has(transition) ? transition : `elsewhere + ${fact.kind}`
}

const places = [
  ...['STOP', 'WAIT', 'WAIT, held by a rule', 'WAIT, held by a look', 'UP Ready', 'UP Transient'],
]

const facts = [
  ...['reported', 'moduleChanged', 'remoteTold', 'remoteLost', 'rulesChanged', 'switched'],
  'timeUp',
]

const orders = [
  ...['web: restart', 'gateway: wait', 'gateway: wait for the first look'],
  ...['other_is_better: stopstart', 'limit: stop', 'Implicit_wakeup: wakeup', 'sum: set'],
]

export const transitions: readonly string[] = [
  ...places.flatMap((place) => facts.map((fact) => `${place} + ${fact}`)),
  // While an order is open, which is for milliseconds.
  ...facts.map((fact) => `elsewhere + ${fact}`),
  ...['UP Ready', 'WAIT, held by a rule', 'WAIT, held by a look', 'WAIT'].map(
    (place) => `${place} + answered while an order is open`,
  ),
  'elsewhere + answered',
  ...orders,
].sort()

const known: ReadonlySet<string> = new Set(transitions)
