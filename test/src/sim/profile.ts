/** The kinds of histories that a sweep runs: what the pair is configured to, and what may be done to it. */
import { ambush, cutAsItBecomesLive, lostOnTheWay } from './ambush.js'
import type { NodeName } from './node.js'
import type { Random } from './random.js'
import type { Setting } from './setting.js'

export interface Profile {
  readonly name: string
  readonly setting: Omit<Setting, 'defaultprim' | 'failover' | 'maxloop' | 'syncdeltaMs'>
  /** All paths between the living nodes may be cut, or a node may stand still: who can't ask must not guess. */
  readonly cuts: boolean
  /** The operator may say "these are the good data" at any time, and disks may be replaced by empty ones. */
  readonly overrides: boolean
  /** How many of eleven histories are of this kind. */
  readonly share: number
}

export const profiles: readonly Profile[] = [
  {
    name: 'witness',
    setting: { witness: 'exclusive', isolation: 'wait' },
    cuts: true,
    overrides: false,
    share: 5,
  },
  {
    name: 'overrides',
    setting: { witness: 'exclusive', isolation: 'wait' },
    cuts: true,
    overrides: true,
    share: 2,
  },
  {
    name: 'waits',
    setting: { witness: 'none', isolation: 'wait' },
    cuts: true,
    overrides: false,
    share: 1,
  },
  {
    name: 'witness-or-alone',
    setting: { witness: 'exclusive', isolation: 'alone' },
    cuts: true,
    overrides: true,
    share: 1,
  },
  {
    name: 'cable-holds',
    setting: { witness: 'none', isolation: 'alone' },
    cuts: false,
    overrides: false,
    share: 1,
  },
  {
    name: 'split-allowed',
    setting: { witness: 'none', isolation: 'alone' },
    cuts: true,
    overrides: true,
    share: 1,
  },
]

/** As many as one run of the tests makes; every known-bad machine must be caught within them. */
export const standardHistories = 8_000

/** A seed is enough to know the history: it also chooses the profile. */
export function profileOf(seed: number): Profile {
  const drawn = profiles.flatMap((profile) => Array<Profile>(profile.share).fill(profile))
  const profile = drawn[seed % drawn.length]
  if (profile === undefined) throw new Error('no profile')
  return profile
}

export function settingOf(profile: Profile, random: Random): Setting {
  return {
    ...profile.setting,
    defaultprim: random.pick(['alone', 'alone', 'a', 'b', 'lastprim']),
    failover: !random.chance(0.08),
    maxloop: random.pick([3, 3, 10]),
    syncdeltaMs: profile.overrides && random.chance(0.3) ? 60_000 : 0,
  }
}

/** Lines of one history: faults, commands and the time between them. */
export function linesOf(profile: Profile, random: Random): string[] {
  const lines: string[] = []
  const count = random.integer(8, 34)
  const kinds = weighted(profile)
  for (let index = 0; index < count; index += 1) {
    const node: NodeName = random.pick(['a', 'b'])
    lines.push(...random.pick(kinds)(node, random), `wait ${pause(random)}ms`)
  }
  return lines
}

/** Mostly short, so that things overlap; now and then long enough for a time-out. */
function pause(random: Random): number {
  if (random.chance(0.35)) return random.integer(1, 120)
  return random.chance(0.75) ? random.integer(120, 3_000) : random.integer(3_000, 9_000)
}

type Kind = (node: NodeName, random: Random) => readonly string[]

const anywhere: readonly (readonly [number, Kind])[] = [
  [4, (node) => [`power off ${node}`]],
  [7, (node) => [`power on ${node}`, 'wait 200ms', `start ${node}`]],
  [1, (node) => [`power on ${node}`]],
  [3, (node) => [`kill daemon ${node}`]],
  [2, (node) => [`kill data ${node}`]],
  [1, (node) => [`kill data ${node} for good`]],
  // What the next daemon finds is not what it should find.
  [1, (node) => [`app lost ${node}`, `kill daemon ${node}`]],
  [2, (node, random) => [`die ${node} power after ${random.integer(1, 25)}`]],
  [2, (node, random) => [`die ${node} daemon after ${random.integer(1, 25)}`]],
  [5, (node) => [`start ${node}`]],
  [2, (node) => [`stop ${node}`]],
  [2, (node) => [`stopstart ${node}`]],
  [1, (node) => [`checker stopstart ${node}`]],
  [2, (node) => [`checker wait ${node}`]],
  [2, (node) => [`checker wakeup ${node}`]],
  [1, (node) => [`checker restart ${node}`]],
  [1, (node) => [`restart ${node}`]],
  [3, (node) => [`swap ${node}`]],
  [1, (node) => [`forcestop ${node}`]],
  [1, (node) => [`second ${node}`]],
  [1, (node) => [`app fails ${node}`]],
  [1, (node) => [`app hangs ${node}`]],
  [1, (node) => [`app slow ${node}`]],
  [1, (node) => [`app stuck ${node}`]],
  [2, (node) => [`app ok ${node}`, `forcestop ${node}`]],
  [1, (node) => [`disk slow ${node}`]],
  [1, (node) => [`disk full ${node}`]],
  [2, (node) => [`disk ok ${node}`]],
  [1, (node, random) => [`clock ${node} ${random.pick(['+90000', '-90000', '+5', '-5'])}s`]],
  [1, (_node, random) => [`copy ${random.pick(['slow', 'fast', 'normal'])}`]],
  [1, () => ['heal lan2', 'cut lan1']],
  [1, () => ['heal lan1', 'cut lan2']],
  [2, () => ['heal lan1', 'heal lan2']],
]

function ambushes(profile: Profile): readonly (readonly [number, Kind])[] {
  const always: readonly (readonly [number, Kind])[] = [
    [6, (node, random) => ambush(node, random, profile)],
  ]
  if (!profile.cuts) return always
  return [
    ...always,
    [3, (node, random) => cutAsItBecomesLive(node, random, profile)],
    [2, (node, random) => lostOnTheWay(node, random, profile)],
  ]
}

const isolating: readonly (readonly [number, Kind])[] = [
  [4, () => ['cut']],
  [5, () => ['heal']],
  [2, (node) => [`cut ${node}>${node === 'a' ? 'b' : 'a'}`]],
  [
    1,
    (node, random) => [`cut ${random.pick(['lan1', 'lan2'])} ${node}>${node === 'a' ? 'b' : 'a'}`],
  ],
  [1, (_node, random) => flapping(random)],
  [1, (_node, random) => [`loss ${random.pick([20, 60, 90])}%`]],
  [2, () => ['loss 0%']],
  [2, (node) => [`freeze ${node}`]],
  [1, (node) => [`freeze daemon ${node}`]],
  [4, (node) => [`thaw ${node}`]],
  [1, (node) => [`witness off ${node}`]],
  [1, () => ['witness off']],
  [3, () => ['witness on']],
  [1, (_node, random) => [`witness ${random.pick(['slow', 'fast'])}`]],
  // A role is handed over by a node whose disk is slow, and whose power fails around its agreement.
  [1, (node, random) => handedOverInTheDark(node, random.integer(100, 2_200))],
  // The pair is cut, and its primary loses power meanwhile or comes back into the cut.
  [1, (node) => ['cut', `power off ${node}`, 'wait 6000ms', `power on ${node}`, `start ${node}`]],
]

const overriding: readonly (readonly [number, Kind])[] = [
  [3, (node) => [`prim ${node}`]],
  [1, (node) => [`prim fullsync ${node}`]],
  [1, () => crossed],
  [1, (node) => [`primforce ${node}`]],
  [2, (node) => [`second fullsync ${node}`]],
  [2, (node) => [`stop ${node}`, 'wait 1500ms', `prim ${node}`]],
  [
    1,
    (node) => [`power off ${node}`, `disk replaced ${node}`, `power on ${node}`, `start ${node}`],
  ],
]

/** Both operators say that theirs are the good data. */
const crossed: readonly string[] = ['stop a', 'stop b', 'wait 2500ms', 'prim a', 'prim b']

function handedOverInTheDark(node: NodeName, afterMs: number): readonly string[] {
  const given = [`disk slow ${node}`, `swap ${node}`, `wait ${afterMs}ms`]
  const back = ['cut', 'wait 300ms', `power on ${node}`, `start ${node}`, 'wait 15000ms']
  return [...given, `power off ${node}`, ...back]
}

function flapping(random: Random): readonly string[] {
  const lines: string[] = []
  const count = random.integer(2, 6)
  for (let index = 0; index < count; index += 1) {
    lines.push('cut', `wait ${random.integer(5, 900)}ms`)
    lines.push('heal', `wait ${random.integer(5, 900)}ms`)
  }
  return lines
}

function weighted(profile: Profile): readonly Kind[] {
  const all = [
    ...anywhere,
    ...(profile.cuts ? isolating : []),
    ...(profile.overrides ? overriding : []),
    ...ambushes(profile),
  ]
  return all.flatMap(([weight, kind]) => Array<Kind>(weight).fill(kind))
}
