/** The usual checker: it looks again and again. Whoever writes one only says how one look goes. */
import type { Checker } from './checker.js'
import { messageOf } from './errors.js'
import type { Cancel, Clock } from './services.js'
import { done } from './verdict.js'

export interface LookingTimes {
  /** From one look to the next. */
  readonly everyMs: number
  /** A look that takes longer says `down`; its signal is given. */
  readonly timeoutMs: number
}

/**
 * `look` resolves with one sentence: it is up. It rejects: it is down, and the message says why. One look at a time; after
 * `stop` nothing is reported, and the signal of a look that still runs is given.
 */
export function looking(
  clock: Pick<Clock, 'after' | 'every'>,
  { everyMs, timeoutMs }: LookingTimes,
  look: (signal: AbortSignal) => Promise<string>,
): Pick<Checker, 'start' | 'stop'> {
  let end: Cancel = () => undefined
  const stop = (): Promise<void> => {
    end()
    end = () => undefined
    return Promise.resolve()
  }
  const start: Checker['start'] = async (report) => {
    await stop()
    let current: AbortController | undefined
    const once = (): void => {
      if (current !== undefined) return // The last look is not over yet.
      const own = new AbortController()
      current = own
      const tell = (value: 'up' | 'down', cause: string): void => {
        cancel()
        if (current !== own) return // Stopped, or its time was over.
        current = undefined
        report(value, cause)
      }
      const cancel = clock.after(timeoutMs, () => {
        tell('down', `no answer within ${String(timeoutMs)} ms`)
        own.abort()
      })
      Promise.resolve()
        .then(() => look(own.signal))
        .then(
          (cause) => {
            tell('up', cause)
          },
          (thrown: unknown) => {
            tell('down', messageOf(thrown))
          },
        )
      cancelLook = cancel
    }
    let cancelLook: Cancel = () => undefined
    const cancelTimer = clock.every(everyMs, once)
    end = () => {
      cancelTimer()
      cancelLook()
      const last = current
      current = undefined
      last?.abort()
    }
    once()
    return done
  }
  return { start, stop }
}
