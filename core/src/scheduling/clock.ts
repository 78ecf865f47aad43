/** The system's time, as plugins receive it. Decisions use only the clock that never jumps. */
import type { Cancel, Clock } from '@holdfast/sdk'
import { scheduleCron } from './cron.js'

/** Longer delays overflow the runtime's timers and would fire at once. */
const delayMsMax = 2_147_483_647
/**
 * Longer periods wake nobody often, and are those of work that had better not be done all at once: programs of checkers,
 * files that are written.
 */
const sharedMsMax = 2_000

export const systemClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  wallMs: () => Date.now(),
  after: (delayMs, call): Cancel => {
    const timer = setTimeout(call, bounded(delayMs))
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call): Cancel =>
    periodMs > sharedMsMax ? everyAlone(periodMs, call) : everyTogether(periodMs, call),
  cron: scheduleCron,
}

function everyAlone(periodMs: number, call: () => void): Cancel {
  const timer = setInterval(call, bounded(periodMs))
  return () => {
    clearInterval(timer)
  }
}

/**
 * At the multiples of the period. Waking an idle processor costs more than most of what is done then, so what is short and
 * has the same period, or a multiple of it, shall have one wake-up and not one each.
 */
function everyTogether(periodMs: number, call: () => void): Cancel {
  const period = Math.max(bounded(periodMs), 1)
  let dueMs = nextDue(performance.now(), -Infinity, period)
  let timer = setTimeout(tick, bounded(dueMs - performance.now()))
  function tick(): void {
    const nowMs = performance.now()
    dueMs = nextDue(nowMs, dueMs, period)
    timer = setTimeout(tick, bounded(dueMs - nowMs))
    call()
  }
  return () => {
    clearTimeout(timer)
  }
}

/** The first multiple of the period after both. A timer may come a little before it is due: that is not a turn more. Pure. */
export function nextDue(nowMs: number, dueMs: number, periodMs: number): number {
  return (Math.floor(Math.max(nowMs, dueMs) / periodMs) + 1) * periodMs
}

function bounded(delayMs: number): number {
  return Math.min(Math.max(Math.ceil(delayMs), 0), delayMsMax)
}
