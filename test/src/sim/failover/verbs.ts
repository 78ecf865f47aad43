/** The words for what can be done to a module with rules: those of a light module, and what there is to be seen. */
import { verbs as lightVerbs } from '../light/verbs.js'
import { msOf, performLine, type Verb } from '../words.js'
import { checkers } from './rules.js'
import type { World } from './world.js'

const own: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(msOf(count, unit)),
  },
  {
    pattern: /^(ping\.gw|custom\.disk|custom\.limit) is (up|down|unknown)$/,
    example: 'ping.gw is down   custom.disk is up   custom.limit is unknown',
    run: (world, [, name = '', value]) => {
      world.values.set(name, valueOf(value))
    },
  },
  {
    pattern: /^remote custom\.disk is (up|down|unknown)$/,
    example: 'remote custom.disk is up',
    run: (world, [, value]) => {
      world.remote.set('custom.disk', valueOf(value))
      if (world.isRemoteHeard) world.failover.remoteChanged()
    },
  },
  {
    pattern: /^remote (lost|heard)$/,
    example: 'remote lost   remote heard',
    run: (world, [, what]) => {
      world.isRemoteHeard = what === 'heard'
      world.failover.remoteChanged()
    },
  },
  {
    pattern: /^tcp\.web hangs$/,
    example: 'tcp.web hangs',
    run: (world) => {
      world.hangs = true
    },
  },
  {
    pattern: /^checkers (on|off)$/,
    example: 'checkers off',
    run: (world, [, what]) => world.failover.switchCheckers(what === 'on'),
  },
  {
    pattern: /^reconfigure$/,
    example: 'reconfigure',
    run: (world) => world.failover.rulesChanged([...checkers.keys()]),
  },
]

const ofModule: readonly Verb<World>[] = lightVerbs
  .filter(({ example }) => !/^(wait \d|rule )/.test(example))
  .map(({ pattern, example, run }) => ({
    ...{ pattern, example },
    run: (world, match) => run(world.module, match),
  }))

export function perform(world: World, line: string): void {
  void performLine([...own, ...ofModule], world, line) // No word of this machine takes real time.
}

function valueOf(text: string | undefined): 'up' | 'down' | 'unknown' {
  return text === 'up' || text === 'down' ? text : 'unknown'
}
