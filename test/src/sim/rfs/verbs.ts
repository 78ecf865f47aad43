/** The words for what can be done to the simulated data planes, their disks and their link. */
import type { NodeName } from '../node.js'
import { nodeNames } from '../node.js'
import { msOf, performLine, type Verb } from '../words.js'
import type { Change } from './tree.js'
import type { World } from './world.js'

export const verbs: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(msOf(count, unit)),
  },
  {
    pattern: /^power (on|off) (a|b)$/,
    example: 'power off a',
    run: (world, [, what, name]) => {
      if (what === 'on') world.powerOn(nodeOf(name))
      else world.kill(nodeOf(name), 'power')
    },
  },
  {
    pattern: /^kill (a|b)$/,
    example: 'kill a',
    run: (world, [, name]) => world.kill(nodeOf(name), 'plane'),
  },
  {
    pattern: /^die (a|b) after (\d+) steps( by power)?$/,
    example: 'die a after 7 steps   die a after 7 steps by power',
    run: (world, [, name, steps, power]) =>
      world.doom(nodeOf(name), Number(steps), power === undefined ? 'plane' : 'power'),
  },
  {
    pattern: /^(freeze|thaw) (a|b)$/,
    example: 'freeze a',
    run: (world, [, what, name]) => {
      if (what === 'freeze') world.freeze(nodeOf(name))
      else world.thaw(nodeOf(name))
    },
  },
  {
    pattern: /^(cut|heal)( (a|b)>(a|b))?$/,
    example: 'cut   cut a>b   heal',
    run: (world, [, what, , from]) => {
      for (const name of from === undefined ? nodeNames : [nodeOf(from)]) {
        world.network.up[name] = what === 'heal'
      }
    },
  },
  {
    pattern: /^disk (full|ok|replaced|kept|rolled back) (a|b)$/,
    example: 'disk full a   disk replaced b   disk kept a   disk rolled back a',
    run: (world, [, what, name]) => {
      if (what === 'replaced') world.replaceDisk(nodeOf(name))
      else if (what === 'kept') world.keepImage(nodeOf(name))
      else if (what === 'rolled back') world.rollBack(nodeOf(name))
      else world.tree(nodeOf(name)).isFull = what === 'full'
    },
  },
  {
    pattern: /^journal (full|ok) (a|b)$/,
    example: 'journal full a',
    run: (world, [, what, name]) => {
      world.store(nodeOf(name)).isFull = what === 'full'
    },
  },
  {
    pattern: /^edit (a|b) (\S+) (create|remove|write|rename)(?: (\S+))?$/,
    example: 'edit a d/one write 200   edit b four rename five   edit a six remove',
    run: (world, [, name, path = '', kind, more = '']) =>
      world.edit(nodeOf(name), editOf(kind, path, more)),
  },
  {
    pattern: /^clock (a|b) (back|forward) (\d+)(ms|s)$/,
    example: 'clock a back 30s',
    run: (world, [, name, way, count, unit]) =>
      world.moveClock(nodeOf(name), (way === 'back' ? -1 : 1) * msOf(count, unit)),
  },
  { pattern: /^swap$/, example: 'swap', run: (world) => world.arbiter.swap() },
  {
    pattern: /^fullsync$/,
    example: 'fullsync',
    run: (world) => {
      world.arbiter.isFullWanted = true
    },
  },
  {
    pattern: /^(quiet|busy)$/,
    example: 'quiet   busy',
    run: (world, [, what]) => {
      world.clientsWrite = what === 'busy'
    },
  },
  {
    pattern: /^(stop|start)$/,
    example: 'stop   start',
    run: (world, [, what]) => {
      if (what === 'stop') world.arbiter.stopAll()
      else world.arbiter.isStopped = false
    },
  },
]

export function perform(world: World, line: string): void {
  void performLine(verbs, world, line) // No word of this machine takes real time.
}

/** What an operator writes is told from what programs write. */
const edited = 1_000_000

function editOf(kind: string | undefined, path: string, more: string): Change {
  if (kind === 'rename') return { kind, path, to: more }
  if (kind === 'write') return { kind, path, zone: 0, value: edited + Number(more) }
  return { kind: kind === 'create' ? kind : 'remove', path }
}

function nodeOf(text: string | undefined): NodeName {
  return text === 'b' ? 'b' : 'a'
}
