/** The words for what can be done to a simulated cluster and its LANs. */
import { msOf, performLine, type Verb } from '../words.js'
import type { World } from './world.js'

const way = '( lan[123])?( ([abc])>([abc]))?'

export const verbs: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(msOf(count, unit)),
  },
  {
    pattern: /^power (on|off) ([abc])$/,
    example: 'power off a',
    run: (world, [, what, name = '']) => {
      if (!world.nodes.has(name)) return
      if (what === 'on') world.start(name)
      else world.node(name).kill()
    },
  },
  {
    pattern: /^(freeze|suspend|thaw) ([abc])$/,
    example: 'freeze a   suspend a   thaw a',
    run: (world, [, what, name = '']) => {
      const node = world.nodes.get(name)
      if (what === 'thaw') node?.thaw()
      else node?.freeze(what === 'freeze' ? 'process' : 'machine')
    },
  },
  {
    pattern: new RegExp(`^(cut|heal)${way}$`),
    example: 'cut   cut lan1   cut a>b   heal lan1 a>b',
    run: (world, [, what, lan, , from, to]) =>
      eachWay(world, lan, from, to, { isUp: what === 'heal' }),
  },
  {
    pattern: new RegExp(`^loss (\\d+)%${way}$`),
    example: 'loss 30%   loss 90% lan1 a>b',
    run: (world, [, percent, lan, , from, to]) =>
      eachWay(world, lan, from, to, { lossPercent: Number(percent) }),
  },
  {
    pattern: new RegExp(`^twice (\\d+)%${way}$`),
    example: 'twice 20%',
    run: (world, [, percent, lan, , from, to]) =>
      eachWay(world, lan, from, to, { twicePercent: Number(percent) }),
  },
  {
    pattern: new RegExp(`^delay (\\d+)ms${way}$`),
    example: 'delay 800ms   delay 3ms lan1',
    run: (world, [, count, lan, , from, to]) =>
      eachWay(world, lan, from, to, { delayMsMax: Number(count) }),
  },
  {
    pattern: /^replay (\d+)( elsewhere)?$/,
    example: 'replay 20   replay 20 elsewhere',
    run: (world, [, count, elsewhere]) => world.replay(Number(count), elsewhere !== undefined),
  },
  {
    pattern: /^forge (\d+) as ([abc])$/,
    example: 'forge 10 as a',
    run: (world, [, count, name = '']) => {
      if (world.nodes.has(name)) world.forge(name, Number(count))
    },
  },
  {
    pattern: /^ghost ([abc])$/,
    example: 'ghost a',
    run: (world, [, name = '']) => {
      if (world.nodes.has(name)) world.ghost(name)
    },
  },
  {
    pattern: /^(remove|add) (lan[23])$/,
    example: 'remove lan2   add lan2',
    run: (world, [, what, lan]) => {
      const { lans } = world.options.setting
      for (const node of world.nodes.values()) {
        node.configure(what === 'add' ? lans : lans.filter((one) => one !== lan))
      }
    },
  },
  {
    pattern: /^watch again ([abc])$/,
    example: 'watch again a',
    run: (world, [, name = '']) => {
      if (world.nodes.get(name)?.isAwake !== true) return
      for (const watcher of world.watchersOf(name)) {
        world.node(name).unwatch(watcher.id)
        world.node(name).watch(watcher)
      }
    },
  },
  {
    pattern: /^clock ([abc]) (-?\d+)s$/,
    example: 'clock a -3600s',
    run: (world, [, name = '', count]) => {
      const node = world.nodes.get(name)
      if (node !== undefined) node.wallOffsetMs = Number(count) * 1_000
    },
  },
]

export function perform(world: World, line: string): void {
  void performLine(verbs, world, line) // No word of this machine takes real time.
}

function eachWay(
  world: World,
  lan: string | undefined,
  from: string | undefined,
  to: string | undefined,
  change: Parameters<World['lans']['change']>[3],
): void {
  const { lans, nodes } = world.options.setting
  for (const on of lan === undefined ? lans : [lan.trim()]) {
    for (const one of from === undefined ? nodes : [from]) {
      for (const other of to === undefined ? nodes : [to]) {
        if (one !== other) world.lans.change(on, one, other, change)
      }
    }
  }
}
