/** Lets work in one at a time, in the order of arrival, with a maximum of what may wait. */
import { HoldfastError } from '@holdfast/sdk'

const waitingMax = 256

export class Turn {
  private tail: Promise<unknown> = Promise.resolve()
  private waiting = 0

  /** Throws `E_CLUSTER_BUSY` when too much waits already. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting >= waitingMax) {
      throw new HoldfastError('E_CLUSTER_BUSY', 'too many cluster operations wait on this node', {
        hint: 'try again when they are done',
      })
    }
    this.waiting++
    const result = this.tail.then(work)
    this.tail = result.then(
      () => this.waiting--,
      () => this.waiting--, // Whoever waits for `result` is told; the next one is let in anyway.
    )
    return result
  }
}
