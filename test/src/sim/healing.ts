/** After the faults: everything works again, the modules are started, and then the pair must be whole within a bound. */
import { type NodeName, nodeNames, other } from './node.js'
import { perform } from './verbs.js'
import type { World } from './world.js'

const healMs = 75_000
/** An operator who does what the hints say needs no more rounds than this. */
const roundsMax = 4

export interface Healed {
  /** Why the pair is not whole; undefined: it is. */
  readonly failure: string | undefined
  /** How often an operator had to decide what no machine may. */
  readonly decisions: number
}

/** `mayAsk`: a node may end up waiting, if it says what is to be done, and if that then helps. */
export function heal(world: World, mayAsk: boolean): Healed {
  repair(world)
  world.run(3_000)
  startAll(world)
  let decisions = 0
  for (let round = 0; round <= roundsMax; round += 1) {
    if (isWholeAndStays(world)) break
    if (world.promises.violation !== undefined) return { failure: undefined, decisions }
    const isStopped = nodeNames.some((name) => world.state(name).place.role === 'stop')
    if (isStopped && round < roundsMax) {
      // What was wrong before the repair may have stopped a module after it.
      startAll(world)
      continue
    }
    if (!mayAsk || round === roundsMax) return { failure: describe(world), decisions }
    const silent = nodeNames.find((name) => !saysWhatToDo(world, name))
    if (silent !== undefined) return { failure: describe(world), decisions }
    decisions += 1
    decide(world)
  }
  // What was acknowledged last arrives; then both trees are the same, to the write.
  world.clientsWrite = false
  world.run(2_000)
  const failure = isWhole(world) ? (differences(world) ?? outlives(world)) : describe(world)
  return { failure, decisions }
}

/** Whatever happened before: a pair that is whole goes on without either of its nodes, if it is configured to. */
function outlives(world: World): string | undefined {
  const serving = nodeNames.find((name) => world.runs(name)) ?? 'a'
  const lost = world.random.chance(0.5) ? serving : other(serving)
  const survivor = other(lost)
  const { witness, isolation, failover } = world.setting
  // The numbers that went with a disk are known to the witness only: it refuses them, and an operator must decide.
  const isKnown = !world.wasDiskReplaced || witness === 'none'
  const mayGoOn = isKnown && (witness === 'exclusive' || isolation === 'alone')
  if (!mayGoOn || (lost === serving && !failover)) return undefined
  world.note('', `${lost} is lost`)
  world.powerOff(lost)
  const goesOn = (): boolean => {
    const { place } = world.state(survivor)
    return place.role === 'alone' && place.stage === 'ready' && place.degrading === undefined
  }
  if (world.runUntil(goesOn, healMs)) return undefined
  return `${lost} was lost, and ${describe(world)}`
}

/** Both Ready, one application. */
export function isWhole(world: World): boolean {
  return nodeNames.some((name) => {
    const mine = world.state(name).place
    const theirs = world.state(other(name)).place
    const isPair = mine.role === 'prim' && theirs.role === 'second'
    const isReady = isPair && mine.stage === 'ready' && theirs.stage === 'live'
    return isReady && mine.degrading === undefined && world.runs(name) && !world.runs(other(name))
  })
}

/** A preferred node may take the role back first: that is one more exchange. */
function isWholeAndStays(world: World): boolean {
  for (let exchange = 0; exchange < 2; exchange += 1) {
    if (!world.runUntil(() => isWhole(world), healMs)) return false
    world.run(6_000)
    if (isWhole(world)) return true
  }
  return false
}

function repair(world: World): void {
  world.note('', 'everything works again')
  world.spare()
  for (const line of ['heal', 'loss 0%', 'witness on', 'witness fast', 'copy normal']) {
    perform(world, line)
  }
  for (const name of nodeNames) {
    for (const line of [`disk ok ${name}`, `app ok ${name}`, `thaw ${name}`, `power on ${name}`]) {
      perform(world, line)
    }
  }
}

function startAll(world: World): void {
  // Some are stopping still, and a stop that failed needs the operator's word.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    for (const name of nodeNames) {
      const { place } = world.state(name)
      if (place.role === 'demoting' && place.failure !== undefined) {
        world.command(name, 'forcestop')
      } else if (place.role === 'stop') world.command(name, 'start')
      else if (place.role === 'wait' && place.hold !== undefined) world.command(name, 'wakeup')
    }
    world.run(5_000)
  }
}

function saysWhatToDo(world: World, name: NodeName): boolean {
  const { place, hint } = world.state(name)
  const isAtWork = place.role !== 'wait' && place.role !== 'stop' && place.role !== 'demoting'
  return isAtWork || hint !== undefined
}

/** The operator reads the hints: one node's data is to be kept, the other one's given up. */
function decide(world: World): void {
  const serving = nodeNames.find((name) => {
    const { role } = world.state(name).place
    return role === 'alone' || role === 'prim'
  })
  const keep = serving ?? nodeNames.find((name) => world.memory(name)?.data === 'current') ?? 'a'
  const giveUp = other(keep)
  if (serving === undefined) {
    const isComplete = world.memory(keep)?.data === 'current'
    world.command(keep, isComplete ? 'prim' : 'primforce')
    world.run(10_000)
  }
  if (world.state(giveUp).place.role === 'wait' || world.state(giveUp).place.role === 'stop') {
    world.command(giveUp, 'second', true)
  }
}

function differences(world: World): string | undefined {
  const { a, b } = { a: world.node('a').data, b: world.node('b').data }
  const isSame = a.size === b.size && [...a].every((write) => b.has(write))
  return isSame ? undefined : `the trees differ: ${a.size} and ${b.size} writes`
}

function describe(world: World): string {
  const each = nodeNames.map((name) => {
    const { place, cause, hint } = world.state(name)
    const stage = 'stage' in place ? `/${place.stage}` : ''
    const app = world.runs(name) ? ' with the application' : ''
    return `${name} is ${place.role}${stage}${app} (${cause}${hint === undefined ? '' : `; ${hint}`})`
  })
  return each.join(', ')
}
