/** Looks again and again, one look at a time, and can be stopped for sure before something else is done. */
import { type Cancel, type Clock, HoldfastError, type Log } from '@holdfast/sdk'

const lookEveryMs = 5_000

export class Keeper {
  private cancel: Cancel = () => undefined
  private stopping = new AbortController()
  private looking: Promise<void> | undefined

  constructor(private readonly tools: { readonly clock: Clock; readonly log: Log }) {}

  start(look: (signal: AbortSignal) => Promise<void>): void {
    this.cancel()
    this.cancel = this.tools.clock.every(lookEveryMs, () => {
      this.looking ??= this.lookOnce(look).finally(() => {
        this.looking = undefined
      })
    })
  }

  /** When this returns, no look is under way and none will come. */
  async stop(): Promise<void> {
    this.cancel()
    this.stopping.abort()
    await this.looking
    this.stopping = new AbortController()
  }

  /** When the look that is under way is done, if one is. */
  async looked(): Promise<void> {
    await this.looking
  }

  private async lookOnce(look: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.stopping
    try {
      await look(signal)
    } catch (cause) {
      if (!(cause instanceof HoldfastError)) throw cause
      if (signal.aborted) return
      this.tools.log.write('warning', 'addressNotWatched', {
        code: cause.code,
        cause: cause.message,
      })
    }
  }
}
