/**
 * What happens at a chosen moment: places that last for milliseconds are met by chance too seldom, and what can go wrong in
 * them is what nobody thought of.
 */
import { places } from './coverage.js'
import type { NodeName } from './node.js'
import { other } from './node.js'
import type { Random } from './random.js'

const orders = ['start', 'stop', 'forcestop', 'restart', 'stopstart', 'swap', 'wait', 'wakeup']
const overrides = ['prim', 'primforce', 'second', 'second fullsync', 'prim fullsync']

/** Those that hold for a moment only. */
const passing = places.filter(
  (place) => !/^(stop|.*\/(ready|live|held|deciding|failed))$/.test(place),
)

const accidents: readonly ((node: NodeName) => string)[] = [
  (node) => `kill daemon ${node}`,
  (node) => `kill data ${node}`,
  (node) => `kill data ${node} for good`,
  (node) => `power off ${node}`,
  (node) => `freeze daemon ${node}`,
  (node) => `kill daemon ${other(node)}`,
  (node) => `power off ${other(node)}`,
]

const cuts: readonly ((node: NodeName) => string)[] = [() => 'cut', () => 'heal']

export interface AmbushOptions {
  readonly cuts: boolean
  readonly overrides: boolean
}

/** Something is done to a node while it is on its way. */
export function ambush(node: NodeName, random: Random, options: AmbushOptions): readonly string[] {
  const place = random.pick(passing)
  return [
    `when ${node} is ${place}: ${actionOf(node, random, options)}`,
    ...onItsWay(place, node, random),
  ]
}

/** The follower has just become current, the serving node does not know it, and they can't talk any more. */
export function cutAsItBecomesLive(
  node: NodeName,
  random: Random,
  options: AmbushOptions,
): readonly string[] {
  const place = random.pick(['alone/outdating', 'alone/claiming', 'alone/waiting'])
  const peer = other(node)
  return [
    `when ${peer} is second/live: ${random.pick(['cut', 'cut', `kill daemon ${peer}`, `power off ${peer}`])}`,
    `when ${node} is ${place}: ${actionOf(node, random, options)}`,
    ...[`kill data ${peer}`, `wait ${random.integer(4_000, 9_000)}ms`, 'heal', `power on ${peer}`],
  ]
}

/** The peer is lost, and the node is on its way to the right to go on, or has to step down. */
export function lostOnTheWay(
  node: NodeName,
  random: Random,
  options: AmbushOptions,
): readonly string[] {
  const stage = random.pick(['outdating', 'claiming', 'waiting', 'claiming', 'waiting'])
  const peer = other(node)
  const witness = stage === 'waiting' ? [`witness off ${node}`] : ['witness slow']
  return [
    `when ${node} is prim/${stage}: ${actionOf(node, random, options)}`,
    `when ${peer} is second/${random.pick(['yielding', 'claiming'])}: ${actionOf(peer, random, options)}`,
    ...[...witness, 'cut', `wait ${random.integer(5_000, 16_000)}ms`],
    ...['heal', 'witness on', 'witness fast'],
  ]
}

function actionOf(node: NodeName, random: Random, options: AmbushOptions): string {
  if (options.overrides && random.chance(0.4)) return `${random.pick(overrides)} ${node}`
  if (random.chance(0.5)) return `${random.pick(orders)} ${node}`
  return random.pick(options.cuts ? [...accidents, ...cuts] : accidents)(node)
}

/** What leads to the place, where nothing else would soon. */
function onItsWay(place: string, node: NodeName, random: Random): readonly string[] {
  if (place.endsWith('/restarting')) return [`restart ${node}`]
  if (place === 'second/leading') return random.pick([[`swap ${node}`], [`stop ${other(node)}`]])
  if (place === 'wait/leading') return [`stopstart ${other(node)}`, `stopstart ${node}`]
  if (place === 'second/yielding' || place === 'second/claiming') return [`freeze ${other(node)}`]
  return []
}
