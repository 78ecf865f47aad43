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

/** Node's event loop has its turn at least this often while there is work. */
const YIELD_MS = 20
/** While somebody awaits something of Node. */
const YIELD_BUSY_MS = 2
/** While there is none: a turn of Node's loop costs more than all else that an idle data plane does. */
const IDLE_MS = 1_000
/** Fewer rounds than this since the last turn are keep-alives. */
const IDLE_ROUNDS = 16
/** A signal ends the wait: a program that was started has ended, and who hears of it may want more of Node. */
const ATTENTIVE_MS = 1_000
const WATCHES_MAX = 64

interface Timer {
  readonly run: () => void
  readonly due: number
}

interface Deadline {
  readonly due: () => number
  readonly run: () => void
}

export class Loop {
  readonly #bytes = Buffer.alloc(WATCHES_MAX * 8)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
  readonly #address = addressOf(this.#bytes)
  #timers: readonly Timer[] = []
  readonly #deadlines: Deadline[] = []
  /** Called after everything that was ready was handled: what was collected is sent. */
  readonly #afterwards: (() => void)[] = []
  #watches: readonly Watch[] = []
  #awaited = 0
  /** Of all timers and deadlines, as they were when this round began to wait: asked once in a round. */
  #nextDue = 0
  #attentiveUntil = -Infinity
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

  /**
   * Whenever `due` has come, on the clock of `now`; it is asked in each round, and `run` must move it on. So nobody is woken for
   * what is not due.
   */
  deadline(due: () => number, run: () => void): void {
    this.#deadlines.push({ due, run })
  }

  /** Once, after this time. There are few who ask for it, one at a time each. */
  after(delayMs: number, run: () => void): void {
    this.#timers = [...this.#timers, { run, due: performance.now() + delayMs }]
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
    let { rounds } = this
    while (!this.#stopped) {
      this.#round()
      const isIdle = this.rounds - rounds < IDLE_ROUNDS && this.now >= this.#attentiveUntil
      if (this.#awaited > 0 || this.now - yielded >= (isIdle ? IDLE_MS : YIELD_MS)) {
        await new Promise((resolve) => setImmediate(resolve))
        yielded = this.now
        rounds = this.rounds
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
    if (ready === -E.INTR) this.#attentiveUntil = this.now + ATTENTIVE_MS
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
    if (this.now < this.#nextDue) return
    for (const timer of this.#timers) {
      if (this.now < timer.due) continue
      this.#timers = this.#timers.filter((one) => one !== timer)
      timer.run()
    }
    for (const { due, run } of this.#deadlines) if (this.now >= due()) run()
  }

  #timeout(): number {
    let due = Infinity
    for (const timer of this.#timers) due = Math.min(due, timer.due)
    for (const deadline of this.#deadlines) due = Math.min(due, deadline.due())
    this.#nextDue = due
    const now = performance.now()
    let until = now < this.#attentiveUntil ? YIELD_MS : IDLE_MS
    if (this.#awaited > 0) until = YIELD_BUSY_MS
    return Math.max(0, Math.ceil(Math.min(until, due - now)))
  }
}

/** The peer is gone or the descriptor is broken. */
export function isBroken(events: number): boolean {
  return (events & (POLL.ERR | POLL.HUP | POLL.NVAL)) !== 0 && (events & POLL.IN) === 0
}
