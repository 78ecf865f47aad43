/** The system's time, as plugins receive it. Decisions use only the clock that never jumps. */
import type { Cancel, Clock } from '@holdfast/sdk'
import { scheduleCron } from './cron.js'

/** Longer delays overflow the runtime's timers and would fire at once. */
const delayMsMax = 2_147_483_647

export const systemClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  wallMs: () => Date.now(),
  after: (delayMs, call): Cancel => {
    const timer = setTimeout(call, bounded(delayMs))
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call): Cancel => {
    const timer = setInterval(call, bounded(periodMs))
    return () => {
      clearInterval(timer)
    }
  },
  cron: scheduleCron,
}

function bounded(delayMs: number): number {
  return Math.min(Math.max(Math.ceil(delayMs), 0), delayMsMax)
}
