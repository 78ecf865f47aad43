/**
 * What must hold of LANs as carriers of a stream, judged by the cables themselves: where one direction is cut, both nodes
 * know it in time, also the one that goes on hearing the other.
 */
import { carries, gracePulses, lanDownPulses } from '@holdfast/core/decisions'
import type { Lans } from './lans.js'
import type { Node } from './node.js'
import { delayMsMax, pulseMs } from './setting.js'

/**
 * One node notices, and what it says of it is the next thing that the other one hears on this LAN; or nothing more comes.
 * Clocks differ, ticks are late, a node that stood still waits before it believes its ears.
 */
const knownMs = (2 * lanDownPulses + gracePulses + 5) * pulseMs + delayMsMax

export class Carrying {
  /** When somebody last sent again what was said before: old news, once each. */
  replayedMs = -Infinity

  constructor(
    readonly nodes: ReadonlyMap<string, Node>,
    readonly lans: Lans,
    readonly violated: (what: string) => void,
  ) {}

  /** At each tick of a node. */
  check(at: Node): void {
    for (const peer of at.hooks.others) {
      const steadyMs = Math.max(at.changedMs, this.nodes.get(peer)?.changedMs ?? -Infinity)
      for (const lan of at.lans) {
        const cutMs = this.lans.cutMs(lan, at.name, peer)
        if (cutMs === undefined || !carries(at.state, peer, lan)) continue
        const sinceMs = Math.max(cutMs, steadyMs, this.replayedMs)
        if (at.sim.agenda.now - sinceMs > knownMs) {
          this.violated(`${lan} is taken to carry to ${peer} long after a direction was cut`)
        }
      }
    }
  }
}
