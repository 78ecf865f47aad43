/** Which transitions of the machine a sweep reached: every place it can be in, with every event that can come there. */
import type { Event, State } from '@holdfast/plugin-mirror'
import { eventName, placeOf } from './world.js'

export class Coverage {
  readonly #counts = new Map<string, number>()

  reached(before: State, event: Event): void {
    const key = `${placeOf(before)} + ${eventName(event)}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  add(counts: Readonly<Record<string, number>>): void {
    for (const [key, count] of Object.entries(counts)) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + count)
    }
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([one], [two]) => (one < two ? -1 : 1)))
  }

  /** What can happen and did not, sorted. */
  unreached(): string[] {
    return transitions.filter((key) => !this.#counts.has(key))
  }

  /** What happened although the lists below say that it can't. */
  surprises(): string[] {
    const known = new Set(transitions)
    return [...this.#counts.keys()].filter((key) => !known.has(key)).sort()
  }
}

const served = ['entering', 'ready', 'restarting', 'held', 'outdating', 'claiming', 'waiting']

const places: readonly string[] = [
  'stop',
  ...['entering', 'deciding', 'leading', 'claiming'].map((stage) => `wait/${stage}`),
  ...served.map((stage) => `alone/${stage}`),
  // A node becomes PRIM only when its application runs.
  ...served.filter((stage) => stage !== 'entering').map((stage) => `prim/${stage}`),
  ...['entering', 'joining', 'copying', 'live', 'leading', 'claiming'].map(
    (stage) => `second/${stage}`,
  ),
  'demoting/stopping',
  'demoting/failed',
]

const events: readonly string[] = [
  ...[
    'start',
    'stop',
    'forcestop',
    'restart',
    'stopstart',
    'swap',
    'prim',
    'primforce',
    'second',
  ].map((command) => `command ${command}`),
  ...[
    'view',
    'lead',
    'agreed',
    'disagreed',
    'outdate',
    'outdated',
    'join',
    'admitted',
    'synced',
    'swap',
  ].map((message) => `told ${message}`),
  ...['adopted', 'peerHeard', 'peerSilent', 'peerConnected', 'peerDisconnected', 'entered', 'left'],
  ...['restarted', 'claimed', 'admitDone', 'copyFinished', 'linkLost', 'dataFailed', 'timeUp'],
]

export const transitions: readonly string[] = places.flatMap((place) =>
  events.map((event) => `${place} + ${event}`),
)
