/** What a node keeps about its module: records, what is staged, what is in force. A call that is cut off happened, or did not. */
import type { Records } from '@holdfast/core/decisions'
import type { SimNode } from '../node.js'

export class SimDisk {
  isFull = false
  readonly pending = new Map<string, unknown>()
  readonly decisions = new Map<string, unknown>()
  /** Digest of the configuration that `stage` wrote. */
  staged: string | undefined
  /** Digest of the configuration that is in force. */
  applied: string | undefined
  #underWay = new Set<() => void>()

  constructor(readonly node: SimNode) {}

  /** Something is written. `needsRoom`: on a full disk it fails, and changes nothing. */
  async write(change: () => void, needsRoom = true): Promise<void> {
    await this.#takesTime()
    if (needsRoom && this.isFull) {
      throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
    }
    this.#underWay.add(change)
    await this.#takesTime()
    this.#underWay.delete(change)
    change()
  }

  async read<T>(look: () => T): Promise<T> {
    await this.#takesTime()
    return look()
  }

  /** The daemon died: what it was writing is there, or is not. */
  cutOff(): void {
    for (const change of this.#underWay) if (this.node.sim.random.chance(0.5)) change()
    this.#underWay.clear()
  }

  records(of: Map<string, unknown>): Records {
    return {
      names: () => this.read(() => [...of.keys()].sort()),
      read: (name) => this.read(() => of.get(name)),
      write: (name, body) => this.write(() => void of.set(name, body)),
      remove: (name) => this.write(() => void of.delete(name), false),
    }
  }

  async #takesTime(): Promise<void> {
    const { random } = this.node.sim
    await new Promise<void>((resolve) => {
      this.node.later('daemon', random.integer(0, 8), resolve)
    })
  }
}
