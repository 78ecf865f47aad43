/** How long a rollout waits for what does not come: long while something moves, short when nothing does. */
import type { Clock } from '@holdfast/sdk'
import { said } from './decide.js'
import type { Standing } from './types.js'

/** Nothing moves, or a node is not reached. */
export const restMs = 120_000
/** A script may take its time. */
export const transientMs = 900_000
/** Also for a copy that goes on. */
export const totalMs = 24 * 3_600_000

export class Patience {
  private seen = ''
  private sinceMs: number
  private readonly beganMs: number

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {
    this.beganMs = clock.monotonicMs()
    this.sinceMs = this.beganMs
  }

  /** Undefined: it may wait on. Otherwise why it is over. */
  endsAt(standings: readonly Standing[], waitsFor: string): string | undefined {
    const nowMs = this.clock.monotonicMs()
    const seen = standings.map((one) => `${said(one)} ${String(one.progress)}`)
    const now = [waitsFor, ...seen].join()
    if (now !== this.seen) {
      this.seen = now
      this.sinceMs = nowMs
    }
    const isMoving = standings.some(({ isReached, sub }) => isReached && sub === 'Transient')
    const isOver = nowMs - this.sinceMs > (isMoving ? transientMs : restMs)
    return isOver || nowMs - this.beganMs > totalMs ? `it waited too long: ${waitsFor}` : undefined
  }
}
