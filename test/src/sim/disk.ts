/** Where a node's memory survives everything but a replaced disk: slow, full, or cut off in the middle of a write. */
import type { Memory } from '@holdfast/plugin-mirror'
import type { SimNode } from './node.js'

export class Disk {
  memory: Memory | undefined
  isFull = false
  isSlow = false
  #writing: Memory | undefined

  constructor(
    readonly node: SimNode,
    readonly kept: (before: Memory | undefined, memory: Memory) => void,
  ) {}

  /** Calls back when it is on disk; false: the disk is full, nothing was written. */
  write(memory: Memory, then: () => void): boolean {
    if (this.isFull) return false
    const { random } = this.node.sim
    const delayMs = this.isSlow ? random.integer(20, 900) : random.chance(0.2) ? 3 : 0
    if (delayMs === 0) {
      this.#keep(memory)
      then()
      return true
    }
    this.#writing = memory
    this.node.later('daemon', delayMs, () => {
      this.#writing = undefined
      this.#keep(memory)
      then()
    })
    return true
  }

  /** The writer died: the rename that makes it so happened, or it did not. */
  cutOff(): void {
    const memory = this.#writing
    this.#writing = undefined
    if (memory !== undefined && this.node.sim.random.chance(0.5)) this.#keep(memory)
  }

  /** A new disk: nothing is on it. */
  replace(): void {
    this.memory = undefined
    this.isFull = false
    this.isSlow = false
  }

  #keep(memory: Memory): void {
    const before = this.memory
    this.memory = memory
    this.kept(before, memory)
  }
}
