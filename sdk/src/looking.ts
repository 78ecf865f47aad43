/** The usual checker: it looks again and again. Whoever writes one only says how one look goes. */
import type { Checker } from './checker.js'
import { HoldfastError, messageOf } from './errors.js'
import type { Cancel, Clock } from './services.js'
import { done } from './verdict.js'

export interface LookingTimes {
  /** From one look to the next. */
  readonly everyMs: number
  /** A look that takes longer says `down`; its signal is given. */
  readonly timeoutMs: number
  /** So many looks in a row must say `down` before what was `up` is; unset: 1. */
  readonly downAfter?: number
}

/** What a look saw, and one sentence about it. */
export interface Seen {
  readonly value: 'up' | 'down' | 'unknown'
  readonly cause: string
}

/**
 * `look` resolves with one sentence: it is up; or with what it saw. It rejects: it is down, and the message says why; with
 * a HoldfastError it could not look (a command is missing): unknown. One look at a time; after `stop` nothing is reported,
 * and the signal of a look that still runs is given.
 */
export function looking(
  clock: Pick<Clock, 'after' | 'every'>,
  times: LookingTimes,
  look: (signal: AbortSignal) => Promise<string | Seen>,
): Pick<Checker, 'start' | 'stop'> {
  let end: Cancel = () => undefined
  const stop = (): Promise<void> => {
    end()
    end = () => undefined
    return Promise.resolve()
  }
  const start: Checker['start'] = async (report) => {
    await stop()
    const settled = settling(times.downAfter ?? 1)
    let current: { readonly abort: AbortController; readonly cancel: Cancel } | undefined
    const once = (): void => {
      if (current !== undefined) return // The last look is not over yet.
      const abort = new AbortController()
      const tell = (seen: Seen): void => {
        own.cancel()
        if (current !== own) return // Stopped, or its time was over.
        current = undefined
        const { value, cause } = settled(seen)
        report(value, cause)
      }
      const cancel = clock.after(times.timeoutMs, () => {
        tell({ value: 'down', cause: `no answer within ${String(times.timeoutMs)} ms` })
        abort.abort()
      })
      const own = { abort, cancel }
      current = own
      void seenBy(look, abort.signal).then(tell) // It never rejects.
    }
    const cancelTimer = clock.every(times.everyMs, once)
    end = () => {
      cancelTimer()
      const last = current
      current = undefined
      last?.cancel()
      last?.abort.abort()
    }
    once()
    return done
  }
  return { start, stop }
}

async function seenBy(
  look: (signal: AbortSignal) => Promise<string | Seen>,
  signal: AbortSignal,
): Promise<Seen> {
  try {
    const seen = await look(signal)
    return typeof seen === 'string' ? { value: 'up', cause: seen } : seen
  } catch (thrown) {
    const value = thrown instanceof HoldfastError ? 'unknown' : 'down'
    return { value, cause: messageOf(thrown) }
  }
}

/** What was up stays so until `downAfter` looks in a row say that it is down. */
function settling(downAfter: number): (seen: Seen) => Seen {
  let wasUp = false
  let failures = 0
  return (seen) => {
    if (seen.value !== 'down') {
      failures = 0
      wasUp = seen.value === 'up'
      return seen
    }
    failures += 1
    if (wasUp && failures < downAfter) {
      const count = `look ${String(failures)} of ${String(downAfter)} that failed`
      return { value: 'up', cause: `${seen.cause} (${count})` }
    }
    wasUp = false
    return seen
  }
}
