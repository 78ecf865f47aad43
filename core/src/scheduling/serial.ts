/** One thing after the other, in the order of the calls, with a written maximum of waiting calls. */
import { HoldfastError } from '@holdfast/sdk'

export class Serial {
  private last: Promise<unknown> = Promise.resolve()
  private waiting = 0

  constructor(
    private readonly what: string,
    private readonly waitingMax: number,
  ) {}

  /** Rejects with `E_BUSY` when too many calls wait. A failure of one call does not concern the next. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting >= this.waitingMax) {
      throw new HoldfastError('E_BUSY', `too many calls wait for ${this.what}`, {
        hint: 'try again when the calls before have ended',
      })
    }
    this.waiting += 1
    const before = this.last
    const run = (async () => {
      await before
      try {
        return await work()
      } finally {
        this.waiting -= 1
      }
    })()
    this.last = run.catch(() => undefined) // Reported to the caller of `run`; the chain must go on.
    return await run
  }
}
