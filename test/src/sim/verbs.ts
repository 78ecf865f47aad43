/**
 * The words for what can be done to a simulated pair. Scenario files, random histories and shortened histories are all
 * made of these lines, so each of them can be read, cut and run again.
 */
import { HoldfastError, type OperatorCommand } from '@holdfast/sdk'
import { places } from './coverage.js'
import type { Lan } from './network.js'
import { type NodeName, nodeNames } from './node.js'
import { lans } from './setting.js'
import { examplesOf, performLine, type Verb } from './words.js'
import type { World } from './world.js'

const commands: readonly OperatorCommand[] = [
  ...(['start', 'stop', 'forcestop', 'restart', 'stopstart', 'swap'] as const),
  ...(['prim', 'primforce', 'second', 'wait', 'wakeup'] as const),
]

const verbs: readonly Verb<World>[] = [
  {
    pattern: /^wait (\d+)(ms|s)$/,
    example: 'wait 10s',
    run: (world, [, count, unit]) => world.run(Number(count) * (unit === 's' ? 1_000 : 1)),
  },
  {
    pattern: new RegExp(`^(${commands.join('|')})( fullsync)? (a|b)$`),
    example: 'start a   second fullsync b',
    run: (world, [, word, full, node]) => {
      const command = commands.find((one) => one === word)
      if (command !== undefined) world.command(nodeOf(node), command, full !== undefined)
    },
  },
  {
    pattern: /^checker (stopstart|restart|stop|wait|wakeup) (a|b)$/,
    example: 'checker stopstart a',
    run: (world, [, word, node]) => {
      const command = commands.find((one) => one === word)
      if (command !== undefined) world.command(nodeOf(node), command, false, 'checker')
    },
  },
  {
    pattern: /^power (on|off) (a|b)$/,
    example: 'power off a',
    run: (world, [, what, node]) => {
      if (what === 'on') world.powerOn(nodeOf(node))
      else world.powerOff(nodeOf(node))
    },
  },
  {
    pattern: /^kill (daemon|data) (a|b)( for good)?$/,
    example: 'kill daemon a   kill data a   kill data a for good',
    run: (world, [, what, node, forGood]) => {
      if (what === 'daemon') world.killDaemon(nodeOf(node))
      else world.killPlane(nodeOf(node), forGood !== undefined)
    },
  },
  {
    pattern: /^freeze( daemon)? (a|b)$/,
    example: 'freeze a   freeze daemon a',
    run: (world, [, daemon, node]) =>
      world.freeze(nodeOf(node), daemon === undefined ? 'node' : 'daemon'),
  },
  {
    pattern: /^thaw (a|b)$/,
    example: 'thaw a',
    run: (world, [, node]) => world.thaw(nodeOf(node)),
  },
  {
    pattern: /^(cut|heal)( lan[12])?( (a|b)>(a|b))?$/,
    example: 'cut   cut lan1   cut a>b   heal lan1 a>b',
    run: (world, [, what, lan, , from]) =>
      world.cut(what === 'cut', from === undefined ? nodeNames : [nodeOf(from)], lansOf(lan)),
  },
  {
    pattern: /^loss (\d+)%$/,
    example: 'loss 30%',
    run: (world, [, percent]) => {
      for (const lan of lans) world.network.loss[lan] = Number(percent) / 100
    },
  },
  {
    pattern: /^witness (on|off|slow|fast)( a| b)?$/,
    example: 'witness off   witness off a   witness slow',
    run: (world, [, what, node]) => {
      if (what === 'slow' || what === 'fast') world.witness.isSlow = what === 'slow'
      else for (const name of nodesOf(node)) world.witness.reachable[name] = what === 'on'
    },
  },
  {
    pattern: /^disk (full|slow|ok|replaced) (a|b)$/,
    example: 'disk full a',
    run: (world, [, what, node]) => {
      const disk = world.disk(nodeOf(node))
      if (what === 'full') disk.isFull = true
      else if (what === 'slow') disk.isSlow = true
      else if (what === 'ok') Object.assign(disk, { isFull: false, isSlow: false })
      else world.replaceDisk(nodeOf(node))
    },
  },
  {
    pattern: /^app (fails|hangs|slow|stuck|lost|ok) (a|b)$/,
    example: 'app fails a   app lost a',
    run: (world, [, what, node]) => {
      const application = world.application(nodeOf(node))
      if (what === 'lost') world.failAdoption(nodeOf(node))
      else if (what === 'fails') application.failingStarts += 1
      else if (what === 'hangs') application.hangingStarts += 1
      else if (what === 'slow') application.isSlowToStop = true
      else if (what === 'stuck') application.isStuck = true
      else application.mend()
    },
  },
  {
    pattern: /^die (a|b) (daemon|power) after (\d+)$/,
    example: 'die a power after 3',
    run: (world, [, node, how, actions]) =>
      world.doom(nodeOf(node), Number(actions), how === 'power' ? 'power' : 'daemon'),
  },
  {
    pattern: /^clock (a|b) ([+-]\d+)s$/,
    example: 'clock a +3600s',
    run: (world, [, node, seconds]) => {
      world.node(nodeOf(node)).wallOffsetMs += Number(seconds) * 1_000
    },
  },
  {
    pattern: /^copy (slow|fast|normal)$/,
    example: 'copy slow',
    run: (world, [, what]) => {
      world.replication.copyMs = what === 'slow' ? 15_000 : what === 'fast' ? 20 : undefined
    },
  },
  {
    pattern: /^write( (\d+))?$/,
    example: 'write 10',
    run: (world, [, , count]) => {
      for (let done = 0; done < Number(count ?? 1); done += 1) {
        world.write()
        world.run(20)
      }
    },
  },
  {
    pattern: /^clients (on|off)$/,
    example: 'clients off',
    run: (world, [, what]) => {
      world.clientsWrite = what === 'on'
    },
  },
]

/** Of these none can be waited for in the middle of something else. */
const isMoment = (line: string): boolean => !/^(wait \d|write|when) ?/.test(line)

const ambush: Verb<World> = {
  pattern: /^when (a|b) is ([a-z]+(?:\/[a-z]+)?): (.+)$/,
  example: 'when b is second/leading: stop b',
  run: (world, [line = '', node, place = '', what = '']) => {
    if (!places.includes(place)) {
      throw new HoldfastError('E_SIM_LINE', `"${line}": there is no place "${place}"`, {
        hint: `known are: ${places.join(', ')}`,
      })
    }
    if (!isMoment(what) || !verbs.some(({ pattern }) => pattern.test(what))) {
      throw new HoldfastError('E_SIM_LINE', `"${what}" is not something that can be done then`, {
        hint: `known are: ${examplesOf(verbs.filter(({ example }) => isMoment(example)))}`,
      })
    }
    world.ambush(nodeOf(node), place, () => perform(world, what))
  },
}

/** Does what the line says. Throws for a line that says nothing known. */
export function perform(world: World, line: string): void {
  void performLine([...verbs, ambush], world, line) // No word of this machine takes real time.
}

function nodeOf(text: string | undefined): NodeName {
  return text?.trim() === 'b' ? 'b' : 'a'
}

function nodesOf(text: string | undefined): readonly NodeName[] {
  return text === undefined ? nodeNames : [nodeOf(text)]
}

function lansOf(text: string | undefined): readonly Lan[] {
  if (text === undefined) return lans
  return [text.trim() === 'lan1' ? 0 : 1]
}
