/** One simulated history of configuring a module from its seed: orders and faults for a while, then healing. */
import type { Ran, RunOptions } from '../machine.js'
import type { NodeName } from '../node.js'
import { nodeNames } from '../node.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { mutationNamed } from './mutants.js'
import { perform } from './verbs.js'
import { World } from './world.js'

export const profiles = ['orders'] as const

const linesMin = 16
const linesMax = 40
/** The longest time-out of a question, twice, and the next attempts to settle. */
const healMs = 150_000

export async function runHistory(options: RunOptions): Promise<Ran> {
  const { seed, coverage, traced = false } = options
  const random = new Random(seed ^ 0x1b873593)
  const lines = options.lines ?? linesOf(random)
  const world = new World({ seed, mutation: mutationNamed(options.mutant), coverage, traced })
  await world.run(500)
  for (const line of lines) {
    if (world.violation !== undefined) break
    world.note('', `> ${line}`)
    await perform(world, line)
  }
  const unhealed = world.violation === undefined ? await heal(world) : undefined
  const { violation } = world
  return {
    ...{ seed, profile: profiles[0], lines, events: world.agenda.ran, violation },
    unhealed: violation === undefined ? unhealed : undefined,
    counted: { 'accepted orders': world.accepted },
    longest: {},
    trace: world.trace?.lines ?? [],
  }
}

/** Everything works again: the nodes agree, and the next order is carried out. */
async function heal(world: World): Promise<string | undefined> {
  await perform(world, 'heal')
  for (const name of nodeNames) {
    for (const line of [`disk ok ${name}`, `thaw ${name}`, `start ${name}`]) {
      await perform(world, line)
    }
  }
  await world.run(healMs)
  return world.unsettled()
}

function linesOf(random: Random): readonly string[] {
  const kinds = expanded(faults)
  const lines: string[] = []
  const count = random.integer(linesMin, linesMax)
  while (lines.length < count) {
    lines.push(...random.pick(kinds)(random))
    const isLong = random.chance(0.25)
    lines.push(`wait ${isLong ? random.integer(1_000, 20_000) : random.integer(1, 700)}ms`)
  }
  return lines
}

const faults: readonly Kind<Random>[] = [
  [9, (random) => [`config ${nodeOf(random)}`]],
  [1, () => ['config a', 'config b']],
  // Killed between its promise and the decision; the next order meets it while it opens.
  [2, (random) => interrupted(random)],
  [1, (random) => [`deconfig ${nodeOf(random)}`]],
  [5, (random) => [`kill ${nodeOf(random)}`]],
  [8, (random) => [`start ${nodeOf(random)}`]],
  [3, (random) => restarted(nodeOf(random), random)],
  [2, (random) => [`freeze ${nodeOf(random)}`]],
  [5, (random) => [`thaw ${nodeOf(random)}`]],
  [1, () => ['cut']],
  [2, (random) => [random.chance(0.5) ? 'cut a>b' : 'cut b>a']],
  [6, () => ['heal']],
  [1, (random) => [`disk full ${nodeOf(random)}`]],
  [3, (random) => [`disk ok ${nodeOf(random)}`]],
  [2, (random) => [`retry ${nodeOf(random)}`]],
]

function restarted(name: NodeName, random: Random): readonly string[] {
  return [`kill ${name}`, `wait ${random.integer(1, 400)}ms`, `start ${name}`]
}

function interrupted(random: Random): readonly string[] {
  const [asked, asking] = random.chance(0.5) ? (['a', 'b'] as const) : (['b', 'a'] as const)
  return [
    ...[`config ${asking}`, `wait ${random.integer(30, 160)}ms`, `kill ${asked}`],
    ...[`wait ${random.integer(100, 900)}ms`, `start ${asked}`, `config ${asking}`],
  ]
}

function nodeOf(random: Random): NodeName {
  return random.chance(0.5) ? 'a' : 'b'
}
