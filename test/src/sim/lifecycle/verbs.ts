/** The words for what can be done to the simulated daemons and by their operators. */
import { type NodeName, nodeNames } from '../node.js'
import { msOf, performLine, type Verb } from '../words.js'
import type { World } from './world.js'

export const verbs: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(msOf(count, unit)),
  },
  {
    pattern: /^(config|deconfig) (a|b)$/,
    example: 'config a   deconfig b',
    run: (world, [, kind, name]) =>
      world.order(nodeOf(name), kind === 'config' ? 'config' : 'deconfig'),
  },
  {
    pattern: /^(kill|start|freeze|thaw|retry) (a|b)$/,
    example: 'kill a   start a   freeze b   thaw b   retry a',
    run: (world, [, what, text]) => {
      const name = nodeOf(text)
      if (what === 'kill') world.kill(name)
      else if (what === 'start') world.start(name)
      else if (what === 'freeze') world.freeze(name)
      else if (what === 'thaw') world.thaw(name)
      else world.retry(name)
    },
  },
  {
    pattern: /^(cut|heal)( (a|b)>(a|b))?$/,
    example: 'cut   cut a>b   heal',
    run: (world, [, what, , from]) => {
      for (const name of from === undefined ? nodeNames : [nodeOf(from)]) {
        world.up[name] = what === 'heal'
      }
    },
  },
  {
    pattern: /^disk (full|ok) (a|b)$/,
    example: 'disk full a',
    run: (world, [, what, name]) => {
      world.disk(nodeOf(name)).isFull = what === 'full'
    },
  },
]

export async function perform(world: World, line: string): Promise<void> {
  await performLine(verbs, world, line)
}

function nodeOf(text: string | undefined): NodeName {
  return text === 'b' ? 'b' : 'a'
}
