/** One simulated history of a journal from its seed; at the end it must be of use again. */
import type { Ran, RunOptions } from '../machine.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { changesOf } from './mutants.js'
import { perform } from './verbs.js'
import { World } from './world.js'

export const profiles: readonly string[] = ['small', 'large']

/** How seldom a history grows: writing so much takes its time. */
const largeEvery = 250

export function runHistory(options: RunOptions): Ran {
  const { seed, coverage, traced = false } = options
  const profile = options.profile ?? (seed % largeEvery === 0 ? 'large' : 'small')
  const random = new Random(seed ^ 0x2545f491)
  const lines = options.lines ?? linesOf(profile, random)
  const world = new World({ seed, changes: changesOf(options.mutant), coverage, traced })
  const all = ['open', 'trust 1', ...lines, 'disk ok', 'open', 'open', 'trust 2', 'end', 'open']
  for (const line of all) {
    if (world.account.violation !== undefined) break
    world.note(`> ${line}`)
    world.done += 1
    perform(world, line)
    world.check()
  }
  const { violation } = world.account
  return {
    ...{ seed, profile, lines, events: world.done, violation },
    unhealed: violation === undefined && !world.isRunning ? 'it can not be opened' : undefined,
    ...{ counted: { 'keys at the end': world.account.size }, longest: {} },
    trace: world.trace?.lines ?? [],
  }
}

const paths = ['one', 'd/two', 'd/three', 'd/e/four', 'd', 'd/e']

function linesOf(profile: string, random: Random): readonly string[] {
  const kinds = expanded(profile === 'large' ? [...faults, ...growing] : faults)
  const lines: string[] = []
  const count = random.integer(20, 80)
  // Whatever ended is opened again soon, as its daemon would.
  while (lines.length < count) lines.push(...random.pick(kinds)(random), 'open')
  return lines
}

function pathOf(random: Random): string {
  return random.pick(paths)
}

const faults: readonly Kind<Random>[] = [
  [10, (random) => [`zone ${pathOf(random)} ${random.integer(0, 300)}`, 'flush']],
  [3, (random) => [`zone ${pathOf(random)} ${random.integer(0, 300)}`]],
  [5, (random) => [`entry ${pathOf(random)}`, 'flush']],
  [2, (random) => [`meta ${pathOf(random)}`, 'flush']],
  [3, () => ['window']],
  [3, () => ['drop']],
  [3, () => ['round']],
  [1, () => ['copy begins']],
  [3, (random) => [`trust ${random.integer(3, 99)}`]],
  [2, () => ['end']],
  [2, () => ['end', 'power off']],
  [1, () => ['end', 'power off', 'power off']],
  [3, () => ['kill']],
  [1, () => ['power off']],
  [4, (random) => [`die after ${random.integer(1, 8)} writes`]],
  [3, (random) => [`die after ${random.integer(1, 8)} writes by power`]],
  [1, (random) => ['end', `die after ${random.integer(1, 3)} writes`]],
  [1, () => ['disk full']],
  [1, (random) => ['disk full', 'kill', `die after ${random.integer(1, 2)} writes`]],
  [1, (random) => ['disk full', 'kill', `die after ${random.integer(1, 2)} writes by power`]],
  [3, () => ['disk ok']],
  [1, () => ['kill', 'garble']],
  [1, () => ['end', 'disk replaced', 'disk full', 'open', 'disk ok']],
  [1, (random) => ['end', `zones of ${random.pick([64, 128])} KiB`]],
]

const growing: readonly Kind<Random>[] = [[12, (random) => [`grow ${random.integer(400, 1_500)}`]]]
