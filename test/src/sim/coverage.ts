/** Which transitions of the machine a sweep reached: every place it can be in, with every event that matters there. */
import type { Event, State } from '@holdfast/plugin-mirror'
import { eventName, placeOf } from './step-words.js'

/** What matters nowhere but where it is expected is one transition everywhere else: it comes too late, and changes nothing. */
export function transitionOf(before: State, event: Event): string {
  const name = eventName(event)
  const transition = `${placeOf(before)} + ${name}`
  return known.has(transition) ? transition : `elsewhere + ${name}`
}

// `held` is not here: nothing can come between it and what follows.
const served = ['ready', 'restarting', 'outdating', 'claiming', 'waiting']

export const places: readonly string[] = [
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

/** Whatever an operator, the peer, the network or the clock does can come at any time. */
const anywhere: readonly string[] = [
  ...['start', 'stop', 'forcestop', 'restart', 'stopstart', 'swap'].map((one) => `command ${one}`),
  ...['prim', 'primforce', 'second', 'wait', 'wakeup'].map((one) => `command ${one}`),
  ...['told view', 'adopted', 'peerHeard', 'peerConnected', 'peerDisconnected', 'peerSilent'],
  'ticked',
]

/** A data plane is at work where something is served, followed or coming down. */
const ofData: readonly string[] = ['linkLost', 'dataFailed']
const atWork = places.filter((place) => place !== 'stop' && !place.startsWith('wait/'))

/** An answer matters where its question is open, and a demand of the peer where it can be granted or must be refused. */
const somewhere: Readonly<Record<string, readonly string[]>> = {
  'told lead': [
    ...['stop', 'wait/entering', 'wait/deciding', 'wait/held', 'wait/leading', 'second/joining'],
    ...['second/leading', 'demoting/stopping'],
  ],
  'told agreed': ['wait/leading', 'second/leading'],
  'told disagreed': ['wait/leading', 'second/joining', 'second/leading'],
  'told outdate': [
    ...['stop', 'wait/deciding', 'wait/held', 'second/entering', 'second/joining', 'second/live'],
    ...['alone/ready', 'demoting/stopping'],
  ],
  'told outdated': ['alone/outdating', 'prim/outdating'],
  'told join': [
    ...['wait/deciding', 'alone/entering', 'alone/ready', 'alone/restarting', 'prim/ready'],
    ...['prim/outdating', 'demoting/stopping', 'demoting/failed'],
  ],
  'told admitted': ['second/joining'],
  'told synced': ['second/copying'],
  'told swap': ['prim/ready', 'demoting/stopping'],
  entered: ['wait/entering', 'alone/entering', 'second/entering', 'demoting/stopping'],
  left: ['demoting/stopping'],
  restarted: ['alone/restarting', 'prim/restarting', 'prim/outdating', 'demoting/stopping'],
  claimed: ['wait/claiming', 'alone/claiming', 'prim/claiming', 'second/claiming', 'wait/deciding'],
  admitDone: ['alone/ready', 'alone/restarting', 'demoting/stopping'],
  copyFinished: [
    ...['alone/ready', 'alone/restarting', 'second/copying', 'second/live', 'demoting/stopping'],
  ],
  timeUp: [
    ...['wait/deciding', 'wait/leading', 'wait/claiming', 'wait/yielding', 'alone/ready'],
    ...['alone/claiming', 'alone/waiting', 'prim/outdating', 'prim/waiting', 'prim/claiming'],
    ...['second/joining', 'second/leading', 'second/yielding', 'second/claiming', 'stop'],
  ],
}

/** Silent already, and to be heard again leads elsewhere; a question to the peer ends with its stream. */
const cannotBe: readonly string[] = [
  ...['wait/yielding', 'wait/claiming', 'second/yielding', 'second/claiming', 'prim/waiting'].map(
    (place) => `${place} + peerSilent`,
  ),
  ...['wait/leading + peerConnected', 'second/leading + peerConnected', 'elsewhere + left'],
]

const all: readonly string[] = [
  ...places.flatMap((place) => anywhere.map((event) => `${place} + ${event}`)),
  ...atWork.flatMap((place) => ofData.map((event) => `${place} + ${event}`)),
  ...ofData.map((event) => `elsewhere + ${event}`),
  ...Object.entries(somewhere).flatMap(([event, where]) => [
    ...where.map((place) => `${place} + ${event}`),
    `elsewhere + ${event}`,
  ]),
].sort()

/** What a sweep has to reach. */
export const transitions = all.filter((transition) => !cannotBe.includes(transition))

const known: ReadonlySet<string> = new Set(transitions)
