/** Announces held addresses again and again, because one lost frame would send clients to a dead node. */
import { type Cancel, type Clock, HoldfastError, type Log } from '@holdfast/sdk'

import { nextRepeatMs } from './decide.js'
import type { VipKernel } from './kernel.js'

export interface Repeat {
  readonly interfaceName: string
  readonly schedule: { readonly intervalMs: number; readonly elapseMs: number } | undefined
}

export class Announcer {
  private cancels: Cancel[] = []
  /** Ends the commands of a repeat that is under way when the address goes. */
  private stopping = new AbortController()

  constructor(
    private readonly tools: {
      readonly kernel: VipKernel
      readonly clock: Clock
      readonly log: Log
    },
  ) {}

  /** Replaces what `start` began before. The announcement at the take-over itself is `announce`. */
  start(repeats: readonly Repeat[]): void {
    this.stop()
    const startMs = this.tools.clock.monotonicMs()
    repeats.forEach((repeat, index) => {
      this.plan(repeat, index, startMs)
    })
  }

  stop(): void {
    this.stopping.abort()
    this.stopping = new AbortController()
    for (const cancel of this.cancels) cancel()
    this.cancels = []
  }

  private plan(repeat: Repeat, index: number, startMs: number): void {
    const { clock } = this.tools
    const delayMs = nextRepeatMs(clock.monotonicMs() - startMs, repeat.schedule)
    if (delayMs === undefined) return
    this.cancels[index] = clock.after(delayMs, () => {
      this.plan(repeat, index, startMs)
      void this.announce(repeat.interfaceName, this.stopping.signal)
    })
  }

  /** A failure is a warning: clients find the address later, by their own neighbour time-outs. */
  async announce(interfaceName: string, signal: AbortSignal): Promise<void> {
    try {
      await this.tools.kernel.announce(interfaceName, signal)
    } catch (cause) {
      if (!(cause instanceof HoldfastError)) throw cause
      if (signal.aborted) return
      this.tools.log.write('warning', 'announcementFailed', {
        text: `the virtual addresses on ${interfaceName} could not be announced: ${cause.message}`,
        interface: interfaceName,
        code: cause.code,
      })
    }
  }
}
