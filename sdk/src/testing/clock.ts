/** A clock that moves only when a test says so. */
import type { Cancel, Clock } from '../services.js'

interface Timer {
  readonly periodMs: number | undefined
  readonly call: () => void
  dueMs: number
}

/** More calls than this within one `pass` is a timer that sets itself again without end. */
const callsMax = 100_000

export class TestClock implements Clock {
  private nowMs = 0
  private readonly timers = new Set<Timer>()
  private readonly crons: { readonly expression: string; readonly call: () => void }[] = []

  monotonicMs(): number {
    return this.nowMs
  }

  /** Begins on 1 January 2026. */
  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.nowMs
  }

  after(delayMs: number, call: () => void): Cancel {
    return this.add({ dueMs: this.nowMs + delayMs, periodMs: undefined, call })
  }

  every(periodMs: number, call: () => void): Cancel {
    return this.add({ dueMs: this.nowMs + periodMs, periodMs: Math.max(1, periodMs), call })
  }

  cron(expression: string, call: () => void): Cancel {
    const entry = { expression, call }
    this.crons.push(entry)
    return () => {
      const at = this.crons.indexOf(entry)
      if (at >= 0) this.crons.splice(at, 1)
    }
  }

  /** Timers that are set and not cancelled: none may be left after a plugin has stopped. */
  get pending(): number {
    return this.timers.size + this.crons.length
  }

  /** Calls what a cron expression has registered, once. */
  async strike(expression: string): Promise<void> {
    for (const entry of this.crons.filter((one) => one.expression === expression)) entry.call()
    await settled()
  }

  /** Lets time pass: calls what comes due, in order, and lets promises settle after each call. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    await settled()
    for (let calls = 0; ; calls++) {
      if (calls > callsMax)
        throw new Error(`more than ${String(callsMax)} timers within ${String(ms)} ms`)
      const next = this.earliest(endMs)
      if (next === undefined) break
      this.nowMs = Math.max(this.nowMs, next.dueMs)
      if (next.periodMs === undefined) this.timers.delete(next)
      else next.dueMs += next.periodMs
      next.call()
      await settled()
    }
    this.nowMs = endMs
  }

  private earliest(endMs: number): Timer | undefined {
    let found: Timer | undefined
    for (const timer of this.timers) {
      if (timer.dueMs <= endMs && (found === undefined || timer.dueMs < found.dueMs)) found = timer
    }
    return found
  }

  private add(timer: Timer): Cancel {
    this.timers.add(timer)
    return () => {
      this.timers.delete(timer)
    }
  }
}

/** Returns when promises that wait for nothing outside have settled, also chains of them. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}
