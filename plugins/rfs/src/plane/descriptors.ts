/** Which nodes have an open descriptor: no more than this process may have, whatever the kernel knows of the trees. */
import { close } from './libc.js'
import type { Node } from './nodes.js'

/** All open descriptors of all volumes, bounded. */
export class Descriptors {
  readonly #open = new Set<Node>()

  /** `most`: descriptors of nodes that can be opened again by name; the others stay open in any case. */
  constructor(readonly most: number) {}

  get count(): number {
    return this.#open.size
  }

  opened(node: Node): void {
    node.used = true
    this.#open.add(node)
    if (this.#open.size > this.most) this.evict(this.#open.size - this.most)
  }

  closed(node: Node): void {
    this.#open.delete(node)
  }

  /** Closes up to `wanted` descriptors: second chance, in the order of opening. */
  evict(wanted: number): void {
    let closed = 0
    let looked = 0
    // Each is looked at twice at most: the first look takes the chance away.
    const lookedMost = this.#open.size * 2
    for (const node of this.#open) {
      if (closed >= wanted || looked++ >= lookedMost) return
      if (node.used || node.pins > 0 || !node.named || node.isRoot) {
        node.used = false
        this.#open.delete(node)
        this.#open.add(node)
        continue
      }
      this.#open.delete(node)
      close(node.fd)
      node.fd = -1
      closed++
    }
  }
}
