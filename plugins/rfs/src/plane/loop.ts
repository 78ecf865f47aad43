/**
 * The loop of the data plane: one poll(2) over all descriptors. What is ready is handled at once and never waits.
 * Node's own event loop gets its turn now and then: for programs that were started, timers of Node and signals.
 */
import { POLL, E, addressOf, errnoName, poll } from './libc.js'

export interface Watch {
  readonly fd: number
  /** POLL bits; 0: not now. */
  wants: number
  onReady(events: number): void
}

/** Node's event loop has its turn at least this often. */
const YIELD_MS = 20
/** While somebody awaits something of Node. */
const YIELD_BUSY_MS = 2
const IDLE_MS = 100
const WATCHES_MAX = 64

interface Timer {
  /** Undefined: only once. */
  readonly everyMs: number | undefined
  readonly run: () => void
  due: number
}

export class Loop {
  readonly #bytes = Buffer.alloc(WATCHES_MAX * 8)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
  readonly #address = addressOf(this.#bytes)
  #timers: readonly Timer[] = []
  /** Called after everything that was ready was handled: what was collected is sent. */
  readonly #afterwards: (() => void)[] = []
  #watches: readonly Watch[] = []
  #awaited = 0
  #stopped = false
  /** Milliseconds of the monotonic clock when this round began. */
  now = performance.now()
  /** Rounds in which something was ready. */
  rounds = 0
  /** All the time that was spent on what was ready. */
  busyMs = 0

  add(watch: Watch): void {
    if (this.#watches.length >= WATCHES_MAX)
      throw new Error('assertion failed: too many descriptors')
    this.#watches = [...this.#watches, watch]
  }

  remove(watch: Watch): void {
    this.#watches = this.#watches.filter((one) => one !== watch)
  }

  every(everyMs: number, run: () => void): void {
    this.#timers = [...this.#timers, { everyMs, run, due: this.now + everyMs }]
  }

  /** Once, after this time. There are few who ask for it, one at a time each. */
  after(delayMs: number, run: () => void): void {
    this.#timers = [...this.#timers, { everyMs: undefined, run, due: performance.now() + delayMs }]
  }

  afterwards(run: () => void): void {
    this.#afterwards.push(run)
  }

  /** Keeps Node's event loop responsive until the promise is settled. */
  async awaiting<T>(work: Promise<T>): Promise<T> {
    this.#awaited++
    try {
      return await work
    } finally {
      this.#awaited--
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    let yielded = this.now
    while (!this.#stopped) {
      this.#round()
      if (this.#awaited > 0 || this.now - yielded >= YIELD_MS) {
        await new Promise((resolve) => setImmediate(resolve))
        yielded = this.now
      }
    }
  }

  #round(): void {
    const watches = this.#watches
    const view = this.#view
    for (let index = 0; index < watches.length; index++) {
      const watch = watches[index]
      // A negative descriptor is ignored by poll: also its errors, which it would report for ever.
      view.setInt32(index * 8, watch === undefined || watch.wants === 0 ? -1 : watch.fd, true)
      view.setInt16(index * 8 + 4, watch?.wants ?? 0, true)
      view.setInt16(index * 8 + 6, 0, true)
    }
    const ready = poll(this.#address, watches.length, this.#timeout())
    this.now = performance.now()
    if (ready < 0 && ready !== -E.INTR) throw new Error(`poll failed: ${errnoName(ready)}`)
    if (ready > 0) {
      this.rounds++
      this.#dispatch(watches)
      this.busyMs += performance.now() - this.now
    }
    this.#runTimers()
    for (const run of this.#afterwards) run()
  }

  #dispatch(watches: readonly Watch[]): void {
    for (let index = 0; index < watches.length; index++) {
      const events = this.#view.getInt16(index * 8 + 6, true)
      const watch = watches[index]
      if (events === 0 || watch === undefined) continue
      // An earlier handler of this round may have removed it, and its descriptor may be another's by now.
      if (watches === this.#watches || this.#watches.includes(watch)) watch.onReady(events)
    }
  }

  #runTimers(): void {
    for (const timer of this.#timers) {
      if (this.now < timer.due) continue
      if (timer.everyMs === undefined) this.#timers = this.#timers.filter((one) => one !== timer)
      else timer.due = this.now + timer.everyMs
      timer.run()
    }
  }

  #timeout(): number {
    let until = this.#awaited > 0 ? YIELD_BUSY_MS : IDLE_MS
    const now = performance.now()
    for (const timer of this.#timers) until = Math.min(until, timer.due - now)
    return Math.max(0, Math.ceil(until))
  }
}

/** The peer is gone or the descriptor is broken. */
export function isBroken(events: number): boolean {
  return (events & (POLL.ERR | POLL.HUP | POLL.NVAL)) !== 0 && (events & POLL.IN) === 0
}
