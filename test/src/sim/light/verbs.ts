/** The words for what can be done to a node with a module of the light topology. */
import type { OperatorCommand } from '@holdfast/sdk'
import { msOf, performLine, type Verb } from '../words.js'
import type { World } from './world.js'

export const commands: readonly OperatorCommand[] = [
  ...(['start', 'stop', 'forcestop', 'restart', 'stopstart', 'wait', 'wakeup'] as const),
  ...(['swap', 'prim', 'primforce', 'second'] as const),
]

function commandOf(text: string | undefined): OperatorCommand {
  return commands.find((one) => one === text) ?? 'start'
}

export const verbs: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(msOf(count, unit)),
  },
  {
    pattern: new RegExp(`^(${commands.join('|')})$`),
    example: 'start   restart   wait',
    run: (world, [, word]) => world.command(commandOf(word)),
  },
  {
    pattern: /^rule (restart|stopstart|stop|wait|wakeup|swap)$/,
    example: 'rule restart',
    run: (world, [, word]) => world.command(commandOf(word), 'rule'),
  },
  {
    pattern: /^power (on|off)$/,
    example: 'power off',
    run: (world, [, what]) => (what === 'on' ? world.powerOn() : world.powerOff()),
  },
  { pattern: /^kill daemon$/, example: 'kill daemon', run: (world) => world.killDaemon() },
  {
    pattern: /^die (daemon|power) after (\d+)$/,
    example: 'die daemon after 3',
    run: (world, [, how, actions]) => {
      world.daemon.doom = { actions: Number(actions), how: how === 'power' ? 'power' : 'daemon' }
    },
  },
  {
    pattern: /^(freeze daemon|freeze|thaw)$/,
    example: 'freeze   freeze daemon   thaw',
    run: (world, [, what]) => {
      if (what === 'thaw') world.thaw()
      else world.freeze(what === 'freeze' ? 'node' : 'daemon')
    },
  },
  {
    pattern: /^app (fails|hangs|slow|stuck|dies|ok)$/,
    example: 'app fails   app stuck   app ok',
    run: ({ application }, [, what]) => {
      if (what === 'fails') application.failingStarts += 1
      else if (what === 'hangs') application.hangingStarts += 1
      else if (what === 'slow') application.isSlowToStop = true
      else if (what === 'stuck') application.isStuck = true
      else if (what === 'dies') application.exits()
      else application.mend()
    },
  },
  {
    pattern: /^clock ([+-]\d+)s$/,
    example: 'clock +3600s',
    run: ({ node }, [, seconds]) => {
      node.wallOffsetMs += Number(seconds) * 1_000
    },
  },
]

export function perform(world: World, line: string): void {
  void performLine(verbs, world, line) // No word of this machine takes real time.
}
