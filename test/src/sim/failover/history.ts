/** One simulated history of a module with rules from its seed; at the end the rules must do in time what they are for. */
import type { Ran, RunOptions } from '../machine.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { stepOf } from './mutants.js'
import { perform } from './verbs.js'
import { World } from './world.js'

/** `handle-time`: the operator says how long a value must last. */
export const profiles: readonly string[] = ['default', 'handle-time']

const handleTimeMs = 3_000
const healMs = 120_000

export function runHistory(options: RunOptions): Ran {
  const { seed, coverage, traced = false } = options
  const profile = options.profile ?? profiles[seed % profiles.length] ?? 'default'
  const random = new Random(seed ^ 0x165667b1)
  const lines = options.lines ?? linesOf(random)
  const handle = profile === 'handle-time' ? handleTimeMs : undefined
  const step = stepOf(options.mutant)
  const world = new World({ seed, step, handleTimeMs: handle, coverage, traced })
  for (const line of ['power on', 'start', 'wait 3s', ...lines]) {
    if (world.violation !== undefined) break
    world.module.note(`> ${line}`)
    perform(world, line)
  }
  const unhealed = world.violation === undefined ? heal(world) : undefined
  const { violation } = world
  return {
    ...{ seed, profile, lines, events: world.module.agenda.ran, violation },
    unhealed: violation === undefined ? unhealed : undefined,
    ...{ counted: { 'starts of the application': world.starts }, longest: {} },
    trace: world.module.trace?.lines ?? [],
  }
}

/** Everything is well again, and the module comes up; then what each rule is for happens once. */
function heal(world: World): string | undefined {
  world.module.note('everything works again')
  world.module.daemon.doom = undefined
  for (const line of repaired) perform(world, line)
  // What was seen before may still have its consequences.
  world.run(2_000)
  if (!reaches(world, isUp, operate)) return `it does not come up: ${describe(world)}`
  return gatewayIsObeyed(world) ?? restartHelps(world) ?? otherIsBetter(world) ?? limitStops(world)
}

const repaired: readonly string[] = [
  ...['app ok', 'thaw', 'power on', 'checkers on', 'remote heard', 'remote custom.disk is up'],
  ...['ping.gw is up', 'custom.disk is up', 'custom.limit is up'],
]

function gatewayIsObeyed(world: World): string | undefined {
  perform(world, 'ping.gw is down')
  if (!reaches(world, isWaiting)) return `without its gateway it does not wait: ${describe(world)}`
  // Nobody sees it come back: the next daemon must know why the module waits.
  perform(world, 'kill daemon')
  perform(world, 'ping.gw is up')
  if (reaches(world, isUp)) return undefined
  return `with its gateway it does not come back: ${describe(world)}`
}

function restartHelps(world: World): string | undefined {
  const { starts } = world
  perform(world, 'tcp.web hangs')
  const helps = reaches(world, (one) => one.starts > starts) && reaches(world, isUp)
  return helps ? undefined : `an application that hangs is not restarted: ${describe(world)}`
}

function otherIsBetter(world: World): string | undefined {
  const { starts } = world
  perform(world, 'custom.disk is down')
  const isDone = reaches(world, (one) => one.starts > starts)
  perform(world, 'custom.disk is up')
  const isBack = isDone && reaches(world, isUp)
  return isBack ? undefined : `the other node is better, and nothing follows: ${describe(world)}`
}

function limitStops(world: World): string | undefined {
  perform(world, 'custom.limit is down')
  const isStopped = reaches(world, ({ module }) => module.daemon.state.place.role === 'stop')
  return isStopped ? undefined : `the limit is reached, and it does not stop: ${describe(world)}`
}

function reaches(
  world: World,
  holds: (world: World) => boolean,
  help: (world: World) => void = () => undefined,
): boolean {
  const { agenda } = world.module
  const untilMs = agenda.now + healMs
  while (!holds(world) && agenda.now < untilMs && world.violation === undefined) {
    help(world)
    world.run(2_000)
  }
  return holds(world)
}

/** What an operator does who wants the application to run: nothing while a rule asks to wait. */
function operate({ module, failover }: World): void {
  const { place } = module.daemon.state
  if (place.role === 'stop') module.command('start')
  else if (place.role === 'leaving' && place.failure !== undefined) module.command('forcestop')
  else if (place.role === 'wait' && failover.state.held === undefined) module.command('wakeup')
}

function isUp({ module, hangs, failover }: World): boolean {
  const { place } = module.daemon.state
  const runs = module.node.daemonRuns && module.application.runs && !hangs
  return runs && place.role === 'up' && place.stage === 'ready' && failover.state.held === undefined
}

function isWaiting({ module }: World): boolean {
  const { place } = module.daemon.state
  return place.role === 'wait' && place.stage === 'held' && !module.application.runs
}

function describe({ module, failover }: World): string {
  const { place, cause } = module.daemon.state
  const stage = 'stage' in place ? `/${place.stage}` : ''
  const held = failover.state.held === undefined ? '' : `, held by ${failover.state.held.label}`
  return `${place.role}${stage} (${cause})${held}`
}

function linesOf(random: Random): readonly string[] {
  const kinds = expanded(faults)
  const lines: string[] = []
  const count = random.integer(10, 35)
  for (let index = 0; index < count; index += 1) {
    const chance = random.next()
    const pauseMs =
      chance < 0.4
        ? random.integer(1, 300)
        : chance < 0.8
          ? random.integer(300, 4_000)
          : random.integer(4_000, 18_000)
    lines.push(...random.pick(kinds)(random), `wait ${pauseMs}ms`)
  }
  return lines
}

const named = ['ping.gw', 'custom.disk', 'custom.limit'] as const

const faults: readonly Kind<Random>[] = [
  [5, (random) => [`${random.pick(named)} is down`]],
  [6, (random) => [`${random.pick(named)} is up`]],
  [1, (random) => [`${random.pick(named)} is unknown`]],
  [2, (random) => flapping(random.pick(named), random)],
  [2, (random) => [`remote custom.disk is ${random.pick(['up', 'down', 'unknown'])}`]],
  [2, () => ['remote lost']],
  [2, () => ['remote heard']],
  [4, () => ['tcp.web hangs']],
  [1, () => ['app dies']],
  [2, () => ['checkers off']],
  [3, () => ['checkers on']],
  [1, () => ['reconfigure']],
  [5, () => ['start']],
  [1, (random) => [random.pick(['stop', 'restart', 'stopstart', 'wait', 'wakeup', 'forcestop'])]],
  [2, () => ['kill daemon']],
  [1, (random) => [`die daemon after ${random.integer(1, 5)}`]],
  [1, () => ['power off', 'wait 300ms', 'power on', 'start']],
  [1, () => ['freeze daemon', 'wait 2s', 'thaw']],
  [1, () => ['app fails']],
  [1, () => ['app slow']],
  [1, () => ['app stuck']],
  [2, () => ['app ok', 'forcestop']],
]

function flapping(name: string, random: Random): readonly string[] {
  const lines: string[] = []
  const count = random.integer(2, 5)
  for (let index = 0; index < count; index += 1) {
    lines.push(`${name} is down`, `wait ${random.integer(300, 1_500)}ms`)
    lines.push(`${name} is up`, `wait ${random.integer(300, 1_500)}ms`)
  }
  return lines
}
