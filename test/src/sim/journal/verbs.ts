/** The words for what can be done to a journal, its process and its disk. */
import { performLine, type Verb } from '../words.js'
import type { World } from './world.js'

const verbs: readonly Verb<World>[] = [
  { pattern: /^open$/, example: 'open', run: (world) => world.open() },
  {
    pattern: /^zone (\S+) (\d+)$/,
    example: 'zone d/one 3',
    run: (world, [, path = '', zone]) => world.touch({ kind: 'zone', path, zone: Number(zone) }),
  },
  {
    pattern: /^(entry|meta) (\S+)$/,
    example: 'entry d/one   meta d/one',
    run: (world, [, kind, path = '']) =>
      world.touch({ kind: kind === 'meta' ? 'meta' : 'entry', path, zone: 0 }),
  },
  { pattern: /^flush$/, example: 'flush', run: (world) => world.flush() },
  {
    pattern: /^grow (\d+)$/,
    example: 'grow 500',
    run: (world, [, count]) => {
      for (let number = 0; number < Number(count); number += 1) {
        world.touch({ kind: 'zone', path: longPath(number), zone: 0 })
      }
      world.flush()
    },
  },
  { pattern: /^window$/, example: 'window', run: (world) => world.openWindow() },
  { pattern: /^drop$/, example: 'drop', run: (world) => world.drop() },
  { pattern: /^round$/, example: 'round', run: (world) => world.round() },
  { pattern: /^copy begins$/, example: 'copy begins', run: (world) => world.copyBegins() },
  {
    pattern: /^trust (\d+)$/,
    example: 'trust 7',
    run: (world, [, session = '']) => world.trust(session.padStart(32, '0')),
  },
  { pattern: /^end$/, example: 'end', run: (world) => world.end() },
  { pattern: /^kill$/, example: 'kill', run: (world) => world.kill() },
  { pattern: /^power off$/, example: 'power off', run: (world) => world.cutPower() },
  {
    pattern: /^die after (\d+) writes( by power)?$/,
    example: 'die after 3 writes   die after 3 writes by power',
    run: (world, [, writes, power]) => {
      world.doom = { writes: Number(writes), how: power === undefined ? 'process' : 'power' }
    },
  },
  {
    pattern: /^disk (full|ok)$/,
    example: 'disk full',
    run: (world, [, what]) => {
      world.store.isFull = what === 'full'
    },
  },
  { pattern: /^disk replaced$/, example: 'disk replaced', run: (world) => world.replaceDisk() },
  { pattern: /^garble$/, example: 'garble', run: (world) => world.garble() },
  {
    pattern: /^zones of (\d+) KiB$/,
    example: 'zones of 128 KiB',
    run: (world, [, size]) => {
      if (!world.isRunning) world.zoneBytes = Number(size) * 1_024
    },
  },
]

export function perform(world: World, line: string): void {
  void performLine(verbs, world, line) // No word of this machine takes real time.
}

/** As long as a path may be: few of them make a large file. */
function longPath(number: number): string {
  const name = String(number).padStart(200, 'n')
  return Array.from({ length: 15 }, () => name).join('/')
}
