/** An arbiter that grants each generation once, and can be slow or out of reach for either node. */
import type { Claim } from '@holdfast/sdk'
import type { NodeName, SimNode } from './node.js'
import { timeoutMs } from './setting.js'

export class Witness {
  readonly reachable: Record<NodeName, boolean> = { a: true, b: true }
  isSlow = false
  readonly #granted = new Map<number, NodeName>()
  #newest = 0

  /** A question may be granted and its answer lost: the asker hears `unknown` then. */
  claim(node: SimNode, generation: number, answered: (claim: Claim) => void): void {
    const { random } = node.sim
    const there = random.integer(2, this.isSlow ? 4_000 : 100)
    const back = random.integer(2, this.isSlow ? 4_000 : 100)
    const life = node.lives.daemon
    let isOpen = true
    const answer = (claim: Claim): void => {
      if (!isOpen) return
      isOpen = false
      answered(claim)
    }
    node.later('daemon', timeoutMs, () => answer('unknown'))
    node.sim.agenda.after(there, () => {
      if (!this.reachable[node.name]) return
      const claim = this.#decide(node.name, generation)
      if (node.lives.daemon !== life) return
      node.later('daemon', back, () => {
        if (this.reachable[node.name]) answer(claim)
      })
    })
  }

  #decide(node: NodeName, generation: number): Claim {
    const holder = this.#granted.get(generation)
    if (holder !== undefined) return holder === node ? 'granted' : 'refused'
    if (generation <= this.#newest) return 'refused'
    this.#newest = generation
    this.#granted.set(generation, node)
    return 'granted'
  }
}
