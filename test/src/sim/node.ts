/** A machine of the simulated pair: power, freezes, and which of its processes run. */
import type { Simulation } from './simulation.js'

export type NodeName = 'a' | 'b'
export const nodeNames = ['a', 'b'] as const

export function other(name: NodeName): NodeName {
  return name === 'a' ? 'b' : 'a'
}

/** What ends when a part of the node dies. A power cut ends all three. */
export type Layer = 'power' | 'daemon' | 'plane'

interface Deferred {
  readonly layer: Layer
  readonly life: number
  readonly run: () => void
}

export class SimNode {
  powered = false
  /** `daemon`: only holdfastd stands still. `node`: nothing on this machine runs, and it does not notice. */
  frozen: 'no' | 'daemon' | 'node' = 'no'
  daemonRuns = false
  /** Every write that this node's tree has. */
  data = new Set<number>()
  /** Its clock runs this much slower or faster than the simulated time. */
  readonly rate: number
  /** What an administrator or a broken time server did to its wall clock. */
  wallOffsetMs = 0
  /** When something last kept its daemon, or its application's stop, from doing what the machine decided. */
  hinderedAt = Number.NEGATIVE_INFINITY
  readonly lives: Record<Layer, number> = { power: 0, daemon: 0, plane: 0 }
  #deferred: Deferred[] = []

  constructor(
    readonly name: NodeName,
    readonly sim: Simulation,
  ) {
    this.rate = 0.97 + 0.06 * sim.random.next()
  }

  get wallMs(): number {
    return this.sim.agenda.now + this.wallOffsetMs
  }

  /** Can a process of this kind do anything at this moment? */
  isAwake(layer: Layer): boolean {
    if (!this.powered || this.frozen === 'node') return false
    return layer !== 'daemon' || (this.daemonRuns && this.frozen === 'no')
  }

  /** Happens on this node after the delay, unless the part of it that would do it has died by then. */
  later(layer: Layer, delayMs: number, run: () => void): void {
    const life = this.lives[layer]
    this.sim.agenda.after(delayMs * this.rate, () => this.#attempt({ layer, life, run }))
  }

  ends(layer: Layer): void {
    this.lives[layer] += 1
  }

  thaw(): void {
    this.frozen = 'no'
    this.hinderedAt = this.sim.agenda.now
    const deferred = this.#deferred
    this.#deferred = []
    for (const one of deferred) this.#attempt(one)
  }

  #attempt(one: Deferred): void {
    if (this.lives[one.layer] !== one.life) return
    const isHeldUp = this.frozen === 'node' || (this.frozen === 'daemon' && one.layer === 'daemon')
    if (isHeldUp) this.#deferred.push(one)
    else one.run()
  }
}
