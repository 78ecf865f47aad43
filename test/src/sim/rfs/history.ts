/** One simulated history of replication from its seed: faults for a while, then healing; at the end both trees are equal. */
import type { Ran, RunOptions } from '../machine.js'
import type { NodeName } from '../node.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { rulesNamed } from './mutants.js'
import { paths } from './tree.js'
import { perform } from './verbs.js'
import { World } from './world.js'

export interface Profile {
  readonly name: string
  /** Both nodes may lose power at the same time: then only what was synced is promised. */
  readonly bothLosePower: boolean
}

export const profiles: readonly Profile[] = [
  { name: 'one-fails', bothLosePower: false },
  { name: 'both-fail', bothLosePower: true },
]

const linesMin = 12
const linesMax = 30
const healMs = 30_000

export function runHistory(options: RunOptions): Ran {
  const { seed, coverage, traced = false } = options
  const profile = profiles.find(({ name }) => name === options.profile) ?? profileOf(seed)
  const random = new Random(seed ^ 0x3c6ef372)
  const lines = options.lines ?? linesOf(profile, random)
  const world = new World({ seed, rules: rulesNamed(options.mutant), coverage, traced })
  runUntilWhole(world, 6_000)
  for (const line of lines) {
    if (world.violation !== undefined) break
    world.note('', `> ${line}`)
    perform(world, line)
  }
  const unhealed = world.violation === undefined ? heal(world) : undefined
  const { violation, truth } = world
  return {
    ...{ seed, profile: profile.name, lines, events: world.agenda.ran, violation },
    unhealed: violation === undefined ? unhealed : undefined,
    counted: { 'acknowledged changes': truth.acknowledged },
    longest: {},
    trace: world.trace?.lines ?? [],
  }
}

/** Everything works again: the pair becomes whole, and stays so; when nobody writes any more, both trees are equal. */
function heal(world: World): string | undefined {
  for (const line of ['heal', 'start', 'busy']) perform(world, line)
  for (const name of ['a', 'b'] as const) {
    world.spare(name)
    for (const line of [`disk ok ${name}`, `journal ok ${name}`]) perform(world, line)
    for (const line of [`thaw ${name}`, `power on ${name}`]) perform(world, line)
  }
  if (!runUntilWhole(world, healMs)) return world.violation ?? 'the pair does not become whole'
  world.run(3_000)
  world.clientsWrite = false
  world.run(3_000)
  return world.isWhole() ? world.difference() : 'the pair does not stay whole'
}

function runUntilWhole(world: World, forMs: number): boolean {
  const untilMs = world.agenda.now + forMs
  while (!world.isWhole() && world.agenda.now < untilMs && world.violation === undefined) {
    world.run(100)
  }
  return world.isWhole()
}

function profileOf(seed: number): Profile {
  const profile = profiles[seed % profiles.length]
  if (profile === undefined) throw new Error('there is a profile for each seed')
  return profile
}

function linesOf(profile: Profile, random: Random): readonly string[] {
  const kinds = expanded(profile.bothLosePower ? [...faults, ...together] : faults)
  const lines: string[] = []
  const count = random.integer(linesMin, linesMax)
  while (lines.length < count) {
    lines.push(...random.pick(kinds)(random))
    const isLong = random.chance(0.35)
    lines.push(`wait ${isLong ? random.integer(800, 3_500) : random.integer(5, 500)}ms`)
  }
  return lines
}

const faults: readonly Kind<Random>[] = [
  [3, (random) => [`kill ${nodeOf(random)}`]],
  [4, (random) => cycled(nodeOf(random), random)],
  [1, (random) => [`power off ${nodeOf(random)}`]],
  [4, (random) => [`power on ${nodeOf(random)}`]],
  [4, (random) => [`die ${nodeOf(random)} after ${random.integer(1, 60)} steps`]],
  [3, (random) => [`die ${nodeOf(random)} after ${random.integer(1, 60)} steps by power`]],
  [2, () => ['cut']],
  [2, (random) => [random.chance(0.5) ? 'cut a>b' : 'cut b>a']],
  [5, () => ['heal']],
  [1, (random) => ['cut', `wait ${random.integer(100, 1_500)}ms`, 'heal']],
  [2, (random) => [`freeze ${nodeOf(random)}`]],
  [4, (random) => [`thaw ${nodeOf(random)}`]],
  [1, (random) => [`disk full ${nodeOf(random)}`]],
  [2, (random) => [`disk ok ${nodeOf(random)}`]],
  [1, (random) => [`journal full ${nodeOf(random)}`]],
  [2, (random) => [`journal ok ${nodeOf(random)}`]],
  [1, (random) => replaced(nodeOf(random))],
  [2, (random) => rolledBack(nodeOf(random), random)],
  [2, () => ['swap']],
  [1, () => ['fullsync']],
  [2, (random) => ['stop', `wait ${random.integer(50, 800)}ms`, 'start']],
  [5, (random) => edited(random)],
  [
    1,
    (random) => [
      'stop',
      'wait 300ms',
      ...edits(random),
      ...cycled(nodeOf(random), random),
      'start',
    ],
  ],
]

const together: readonly Kind<Random>[] = [
  [3, (random) => both(random)],
  [1, (random) => ['stop', 'wait 300ms', ...both(random), 'start']],
  // A node that stopped in order has nothing more to sync.
  [1, (random) => ['stop', 'wait 20ms', ...cycled(nodeOf(random), random), 'start']],
]

function nodeOf(random: Random): NodeName {
  return random.chance(0.5) ? 'a' : 'b'
}

function cycled(name: NodeName, random: Random): readonly string[] {
  return [`power off ${name}`, `wait ${random.integer(100, 1_500)}ms`, `power on ${name}`]
}

function replaced(name: NodeName): readonly string[] {
  return [`power off ${name}`, 'wait 800ms', `disk replaced ${name}`, `power on ${name}`]
}

/** Files are changed while both are stopped; the clock may be set before, in between or after. */
function edited(random: Random): readonly string[] {
  const changes = [...edits(random), `wait ${random.integer(1, 300)}ms`, ...edits(random)]
  const way = random.chance(0.5) ? 'back' : 'forward'
  const clock = `clock ${nodeOf(random)} ${way} ${random.integer(1, 90)}s`
  if (random.chance(0.4)) changes.splice(random.integer(0, changes.length), 0, clock)
  // Programs that rest have no keys left in the journal: only the times tell then.
  const rests = random.chance(0.5)
  const stop = [...(rests ? rest : []), 'stop', 'wait 500ms', ...changes]
  const dies = `die ${nodeOf(random)} after ${random.integer(5, 40)} steps`
  const begun = ['start', `wait ${random.integer(200, 750)}ms`, `kill ${nodeOf(random)}`]
  const start = random.pick([['start'], [dies, 'start'], begun, begun])
  return [...stop, ...start, ...(rests ? [`wait ${random.integer(100, 1_200)}ms`, 'busy'] : [])]
}

const rest: readonly string[] = [
  ...['heal', 'thaw a', 'thaw b', 'power on a', 'power on b', 'start', 'quiet', 'wait 3500ms'],
]

function edits(random: Random): readonly string[] {
  return Array.from({ length: random.integer(1, 6) }, () => {
    const path = random.pick(paths)
    const what = random.pick(['create', 'remove', 'write', 'write', 'rename'])
    const more =
      what === 'write'
        ? ` ${random.integer(1, 900)}`
        : what === 'rename'
          ? ` ${random.pick(paths)}`
          : ''
    return `edit ${nodeOf(random)} ${path} ${what}${more}`
  })
}

/** An image of the disk is made; it is put back when the other node has forgotten what has changed since. */
function rolledBack(name: NodeName, random: Random): readonly string[] {
  const kept = ['stop', `power off ${name}`, `disk kept ${name}`, `power on ${name}`, 'start']
  const meanwhile = `wait ${random.integer(500, 6_000)}ms`
  const back = ['wait 1500ms', `disk rolled back ${name}`, `power on ${name}`]
  return [...kept, meanwhile, `power off ${name}`, ...back]
}

function both(random: Random): readonly string[] {
  const first = nodeOf(random)
  const second = first === 'a' ? 'b' : 'a'
  return [
    ...['power off a', 'power off b', `power on ${first}`],
    ...[`wait ${random.integer(5, 1_500)}ms`, `power on ${second}`],
  ]
}
