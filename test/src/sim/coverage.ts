/** Which transitions of the machine a sweep reached: every place it can be in, with every event that matters there. */
import type { Event, State } from '@holdfast/plugin-mirror'
import { eventName, placeOf } from './step-words.js'

export function transitionOf(before: State, event: Event): string {
  return `${placeOf(before)} + ${eventName(event)}`
}

// `held` is not here: nothing can come between it and what follows.
const served = ['ready', 'restarting', 'outdating', 'claiming', 'waiting']

const places: readonly string[] = [
  'stop',
  ...['entering', 'deciding', 'held', 'leading', 'yielding', 'claiming'].map(
    (stage) => `wait/${stage}`,
  ),
  // A node becomes PRIM only when its application runs.
  ...['entering', ...served].map((stage) => `alone/${stage}`),
  ...served.map((stage) => `prim/${stage}`),
  ...['entering', 'joining', 'copying', 'live', 'leading', 'yielding', 'claiming'].map(
    (stage) => `second/${stage}`,
  ),
  'demoting/stopping',
  'demoting/failed',
]

/** Whatever an operator, the peer or the network does can come at any time. */
const anywhere: readonly string[] = [
  ...['start', 'stop', 'forcestop', 'restart', 'stopstart', 'swap'].map((one) => `command ${one}`),
  ...['prim', 'primforce', 'second', 'wait', 'wakeup'].map((one) => `command ${one}`),
  ...['told view', 'adopted', 'peerHeard', 'peerConnected', 'peerDisconnected'],
]

/** An answer matters where its question is open, and a demand of the peer where it can be granted or must be refused. */
const somewhere: Readonly<Record<string, readonly string[]>> = {
  peerSilent: [
    ...['stop', 'wait/entering', 'wait/deciding', 'alone/entering', 'alone/ready'],
    ...['alone/outdating', 'prim/ready', 'prim/outdating', 'second/joining', 'second/copying'],
    ...['second/live', 'demoting/stopping'],
  ],
  'told lead': ['stop', 'wait/deciding', 'wait/leading', 'second/leading', 'demoting/stopping'],
  'told agreed': ['wait/leading', 'second/leading'],
  'told disagreed': ['wait/leading', 'second/joining', 'second/leading'],
  'told outdate': ['stop', 'wait/deciding', 'second/joining', 'second/live', 'demoting/stopping'],
  'told outdated': ['alone/outdating', 'prim/outdating'],
  'told join': ['wait/deciding', 'alone/entering', 'alone/ready', 'prim/ready', 'prim/outdating'],
  'told admitted': ['second/joining'],
  'told synced': ['second/copying'],
  'told swap': ['prim/ready', 'demoting/stopping'],
  entered: ['wait/entering', 'alone/entering', 'second/entering', 'demoting/stopping'],
  left: ['demoting/stopping'],
  restarted: ['alone/restarting', 'prim/restarting', 'prim/outdating', 'demoting/stopping'],
  claimed: ['wait/claiming', 'prim/claiming', 'second/claiming', 'wait/deciding'],
  admitDone: ['alone/ready', 'alone/restarting', 'demoting/stopping'],
  copyFinished: ['alone/ready', 'alone/restarting', 'second/copying', 'demoting/stopping'],
  linkLost: [
    ...['alone/ready', 'alone/restarting', 'prim/ready', 'prim/restarting', 'second/joining'],
    ...['second/copying', 'second/live', 'demoting/stopping'],
  ],
  dataFailed: ['alone/entering', 'alone/ready', 'alone/restarting', 'prim/ready', 'prim/outdating'],
  timeUp: [
    ...['wait/deciding', 'wait/leading', 'wait/claiming', 'alone/ready', 'prim/outdating'],
    ...['prim/waiting', 'second/joining', 'second/leading', 'second/yielding', 'second/claiming'],
    ...['wait/yielding', 'prim/claiming'],
  ],
}

/** What a sweep has to reach. */
export const transitions: readonly string[] = [
  ...places.flatMap((place) => anywhere.map((event) => `${place} + ${event}`)),
  ...Object.entries(somewhere).flatMap(([event, where]) =>
    where.map((place) => `${place} + ${event}`),
  ),
].sort()
