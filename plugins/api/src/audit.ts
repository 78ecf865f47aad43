/**
 * Who changed what is a question that comes after an incident: each request that may change something is a line in the log.
 * Programs ask the same again and again (a checker that tells a value every second); of that only a sum is written, or the
 * log would hold nothing else.
 */
import type { Cancel, Clock, Log } from '@holdfast/sdk'

export const windowMs = 60_000
/** Equal ones in a window that are written one by one. */
export const linesMax = 3
/** Different ones in a window that are counted; beyond, each is written. */
const kindsMax = 500

export interface Answered {
  readonly request: string
  readonly status: number
  /** The words of a module's command. */
  readonly command?: string
  /** The node that it came from. */
  readonly from?: string
}

export class Audit {
  readonly #clock: Pick<Clock, 'after'>
  readonly #log: Log
  readonly #counts = new Map<string, { readonly answered: Answered; times: number }>()
  #cancel: Cancel = () => undefined

  constructor(clock: Pick<Clock, 'after'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  note(answered: Answered): void {
    const key = JSON.stringify(answered)
    if (this.#counts.size === 0) {
      this.#cancel = this.#clock.after(windowMs, () => {
        this.#sum()
      })
    }
    const known = this.#counts.get(key)
    const times = (known?.times ?? 0) + 1
    if (known !== undefined) known.times = times
    else if (this.#counts.size < kindsMax) this.#counts.set(key, { answered, times })
    if (times <= linesMax) this.#log.write('info', 'requestAnswered', { ...answered })
  }

  /** Writes what is only counted so far. */
  end(): void {
    this.#cancel()
    this.#sum()
  }

  #sum(): void {
    for (const { answered, times } of this.#counts.values()) {
      if (times <= linesMax) continue
      const text = `${String(times - linesMax)} more requests of this kind within a minute`
      this.#log.write('info', 'requestsAnswered', { text, ...answered, times: times - linesMax })
    }
    this.#counts.clear()
  }
}
