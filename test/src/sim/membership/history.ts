/** One simulated history of a cluster's LANs from its seed: faults and attacks for a while, then healing. */
import { carries, peerOf } from '@holdfast/core/decisions'
import type { Ran, RunOptions } from '../machine.js'
import { Random } from '../random.js'
import { expanded, type Kind } from '../words.js'
import { mutationNamed } from './mutants.js'
import {
  delayMsMax,
  type Profile,
  profileOf,
  profiles,
  pulseMs,
  settingOf,
  timeoutMs,
} from './setting.js'
import { perform } from './verbs.js'
import { World } from './world.js'

const linesMin = 14
const linesMax = 34
const healMs = 9_000

export function runHistory(options: RunOptions): Ran {
  const { seed, coverage, traced = false } = options
  const profile = profiles.find(({ name }) => name === options.profile) ?? profileOf(seed)
  // Its own source: lines that are left out must not change how those that stay were drawn.
  const random = new Random(seed ^ 0x2545f491)
  const setting = settingOf(profile, random)
  const lines = options.lines ?? linesOf(profile, setting, random)
  const mutation = mutationNamed(options.mutant)
  const world = new World({ seed, setting, mutation, coverage, traced })
  for (const name of setting.nodes) world.start(name)
  world.run(2_000)
  for (const line of lines) {
    if (world.violation !== undefined) break
    world.note('', `> ${line}`)
    perform(world, line)
  }
  const unhealed = world.violation === undefined ? heal(world) : undefined
  const { violation } = world
  return {
    ...{ seed, profile: profile.name, lines, events: world.agenda.ran, violation },
    unhealed: violation === undefined ? unhealed : undefined,
    counted: { 'things told': world.told },
    longest: {},
    trace: world.trace?.lines ?? [],
  }
}

/** Everything works again: all hear each other. Then one goes silent for good: all others are told. */
function heal(world: World): string | undefined {
  const { nodes } = world.options.setting
  for (const line of ['heal', 'loss 0%', 'twice 0%', 'delay 3ms', 'add lan2']) perform(world, line)
  for (const name of nodes) {
    for (const line of [`thaw ${name}`, `power on ${name}`]) perform(world, line)
  }
  world.run(healMs)
  const deaf = unheardOf(world)
  if (deaf !== undefined || world.violation !== undefined) return deaf
  const [last = ''] = nodes.slice(-1)
  world.note('', `> power off ${last}`)
  world.node(last).kill()
  world.run(timeoutMs + 8 * pulseMs)
  for (const name of nodes.filter((one) => one !== last)) {
    for (const { id, node } of world.watchersOf(name)) {
      const isSilent = world.truths.get(name)?.verdict(id) === 'silent'
      if (node === last && !isSilent) return `${name} was not told that ${last} is silent`
    }
  }
  return undefined
}

function unheardOf(world: World): string | undefined {
  for (const [name, { state }] of world.nodes) {
    for (const { id, node } of world.watchersOf(name)) {
      if (world.truths.get(name)?.verdict(id) !== 'heard') return `${name} does not hear ${node}`
      const peer = peerOf(state, node)
      if (peer?.incarnation?.id !== world.node(node).incarnation.id) {
        return `${name} takes another incarnation for ${node}`
      }
      const down = peer.lans.find(({ up }) => !up)
      if (down !== undefined) return `${name} shows ${down.lan} of ${node} as down`
      const mute = peer.lans.find(({ lan }) => !carries(state, node, lan))
      if (mute !== undefined)
        return `${name} sends nothing on ${mute.lan} to ${node}, which hears it`
    }
  }
  return undefined
}

function linesOf(profile: Profile, { nodes, lans }: World['options']['setting'], random: Random) {
  const kinds = expanded(profile.hasAttacker ? [...faults, ...attacks] : faults)
  const lines: string[] = []
  const count = random.integer(linesMin, linesMax)
  const place: Place = { node: () => random.pick(nodes), lan: () => random.pick(lans), random }
  while (lines.length < count) {
    lines.push(...random.pick(kinds)(place))
    const isLong = random.chance(0.3)
    lines.push(`wait ${isLong ? random.integer(1_500, 4_000) : random.integer(20, 1_200)}ms`)
  }
  return lines
}

interface Place {
  readonly random: Random
  node(): string
  lan(): string
}

const faults: readonly Kind<Place>[] = [
  [3, (at) => [`cut ${at.lan()}`]],
  [2, () => ['cut']],
  [3, (at) => [`cut ${at.lan()} ${oneWay(at)}`]],
  [2, (at) => [`cut ${oneWay(at)}`]],
  [6, () => ['heal']],
  [3, (at) => [`heal ${at.lan()}`]],
  [3, (at) => [`loss ${at.random.pick([20, 60, 95])}% ${at.lan()}`]],
  [2, (at) => [`loss ${at.random.pick([40, 100])}% ${oneWay(at)}`]],
  [3, () => ['loss 0%']],
  [2, (at) => [`delay ${at.random.pick([200, 900, delayMsMax])}ms ${at.lan()}`]],
  [2, () => ['delay 3ms']],
  [1, (at) => [`twice ${at.random.pick([10, 50])}%`]],
  [3, (at) => [`power off ${at.node()}`]],
  [5, (at) => [`power on ${at.node()}`]],
  [1, (at) => restarted(at.node(), at.random.pick([200, 800]))],
  [3, (at) => [`freeze ${at.node()}`]],
  [1, (at) => [`suspend ${at.node()}`]],
  [5, (at) => [`thaw ${at.node()}`]],
  [1, (at) => paused(at)],
  [1, (at) => [`watch again ${at.node()}`]],
  [1, () => ['remove lan2']],
  [1, () => ['add lan2']],
  [1, (at) => flapping(at)],
  [1, (at) => [`clock ${at.node()} ${at.random.pick([-86_400, 3_600, 0])}s`]],
]

const attacks: readonly Kind<Place>[] = [
  [4, (at) => [`replay ${at.random.integer(5, 60)}`]],
  [3, (at) => [`replay ${at.random.integer(5, 60)} elsewhere`]],
  [3, (at) => [`forge ${at.random.integer(1, 10)} as ${at.node()}`]],
  [2, (at) => [`ghost ${at.node()}`]],
  // Whoever is dead is kept alive by what it said before; also for one that restarted.
  [2, (at) => [`power off ${at.node()}`, 'wait 1500ms', 'replay 60', 'wait 900ms', 'replay 60']],
  [1, (at) => [...restarted(at.node()), 'wait 600ms', 'replay 80']],
  [1, () => ['remove lan2', 'wait 300ms', 'add lan2', 'replay 80']],
  [1, () => [...restarted('b'), 'freeze a', 'wait 1500ms', 'thaw a', 'wait 90ms', 'replay 80']],
]

function oneWay(at: Place): string {
  const from = at.node()
  const to = from === 'a' ? 'b' : 'a'
  return `${from}>${to}`
}

function restarted(node: string, afterMs = 200): readonly string[] {
  return [`power off ${node}`, `wait ${afterMs}ms`, `power on ${node}`]
}

function paused({ node, random }: Place): readonly string[] {
  const name = node()
  const once = [`freeze ${name}`, `wait ${random.integer(300, 6_000)}ms`, `thaw ${name}`]
  return random.chance(0.3) ? [...once, `wait ${random.integer(20, 600)}ms`, ...once] : once
}

function flapping({ random, lan }: Place): readonly string[] {
  const on = lan()
  const lines: string[] = []
  for (let count = random.integer(2, 6); count > 0; count -= 1) {
    lines.push(`cut ${on}`, `wait ${random.integer(50, 1_400)}ms`)
    lines.push(`heal ${on}`, `wait ${random.integer(50, 1_400)}ms`)
  }
  return lines
}
