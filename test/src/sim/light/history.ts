/** One simulated history of a light module from its seed: orders and failures for a while, then repair; then it must come up, and go down. */
import type { Ran, RunOptions } from '../machine.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { stepOf } from './mutants.js'
import { perform } from './verbs.js'
import { World } from './world.js'

/** `rules`: failover rules order as well; what interrupts the service is counted, or it is not. */
export const profiles: readonly string[] = ['operator', 'rules', 'uncounted']

const healMs = 90_000

export function runHistory(options: RunOptions): Ran {
  const { seed, coverage, traced = false } = options
  const profile = options.profile ?? profiles[seed % profiles.length] ?? 'operator'
  const random = new Random(seed ^ 0x7f4a7c15)
  const loopIntervalMs = profile === 'uncounted' ? 0 : 86_400_000
  const config = { maxloop: random.pick([1, 3]), loopIntervalMs }
  const lines = options.lines ?? linesOf(profile, random)
  const world = new World({ seed, config, step: stepOf(options.mutant), coverage, traced })
  for (const line of ['power on', 'start', 'wait 2s', ...lines]) {
    if (world.truth.violation !== undefined) break
    world.note(`> ${line}`)
    perform(world, line)
  }
  const unhealed = world.truth.violation === undefined ? heal(world) : undefined
  const { violation } = world.truth
  return {
    ...{ seed, profile, lines, events: world.agenda.ran, violation },
    unhealed: violation === undefined ? unhealed : undefined,
    ...{ counted: {}, longest: {}, trace: world.trace?.lines ?? [] },
  }
}

function heal(world: World): string | undefined {
  world.note('everything works again')
  world.daemon.doom = undefined
  for (const line of ['app ok', 'thaw', 'power on']) perform(world, line)
  if (!reaches(world, isUp, operate)) return `it does not come up: ${describe(world)}`
  world.command('stop')
  return reaches(world, isStopped) ? undefined : `it does not stop: ${describe(world)}`
}

function reaches(
  world: World,
  holds: (world: World) => boolean,
  help: (world: World) => void = () => undefined,
): boolean {
  const untilMs = world.agenda.now + healMs
  while (!holds(world) && world.agenda.now < untilMs && world.truth.violation === undefined) {
    help(world)
    world.run(5_000)
  }
  return holds(world)
}

/** What an operator does who wants the application to run. */
function operate(world: World): void {
  const { place } = world.daemon.state
  if (place.role === 'stop') world.command('start')
  else if (place.role === 'leaving' && place.failure !== undefined) world.command('forcestop')
  else if (place.role === 'wait' && place.stage === 'held') world.command('wakeup')
  else if (place.role === 'up' && place.stage === 'ready') world.command('restart')
}

function isUp({ daemon, application, node }: World): boolean {
  const { place } = daemon.state
  return node.daemonRuns && place.role === 'up' && place.stage === 'ready' && application.runs
}

function isStopped({ daemon, application }: World): boolean {
  return daemon.state.place.role === 'stop' && !application.runs
}

function describe({ daemon, application }: World): string {
  const { place, cause } = daemon.state
  const stage = 'stage' in place ? `/${place.stage}` : ''
  return `${place.role}${stage}${application.runs ? ' with the application' : ''} (${cause})`
}

function linesOf(profile: string, random: Random): readonly string[] {
  const kinds = expanded(profile === 'operator' ? faults : [...faults, ...rules])
  const lines: string[] = []
  const count = random.integer(10, 40)
  for (let index = 0; index < count; index += 1) {
    const pauseMs = random.chance(0.5) ? random.integer(1, 150) : random.integer(150, 4_000)
    lines.push(...random.pick(kinds)(random), `wait ${pauseMs}ms`)
  }
  return lines
}

const faults: readonly Kind<Random>[] = [
  [6, () => ['start']],
  [3, () => ['stop']],
  [2, () => ['forcestop']],
  [2, () => ['restart']],
  [2, () => ['stopstart']],
  [2, () => ['wait']],
  [2, () => ['wakeup']],
  [1, (random) => [random.pick(['swap', 'prim', 'primforce', 'second'])]],
  [2, () => ['kill daemon']],
  [2, (random) => [`die daemon after ${random.integer(1, 6)}`]],
  [1, (random) => [`die power after ${random.integer(1, 6)}`]],
  [1, () => ['power off']],
  [3, () => ['power on', 'start']],
  [1, (random) => [random.pick(['freeze', 'freeze daemon'])]],
  [3, () => ['thaw']],
  [2, () => ['app fails']],
  [1, () => ['app hangs']],
  [1, () => ['app slow']],
  [2, () => ['app stuck', 'stop']],
  [1, () => ['app dies']],
  [1, () => ['app dies', 'kill daemon']],
  [2, () => ['app ok', 'forcestop']],
  [1, (random) => [`clock ${random.pick(['+90000', '-90000', '+5'])}s`]],
]

const rules: readonly Kind<Random>[] = [
  [3, () => ['rule restart']],
  [2, () => ['rule stopstart']],
  [2, () => ['rule wait']],
  [2, () => ['rule wakeup']],
  [1, () => ['rule stop']],
  [1, () => ['rule swap']],
]
