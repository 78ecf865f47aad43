/** What the loop does for applications, measured: how many rounds of requests, and how long one takes. */
import { readFileSync } from 'node:fs'
import type { Loop } from '../loop.js'
import type { Load } from '../resync/courtesy.js'

export class LoadSensor {
  readonly #loop: Loop
  #at = 0
  #rounds = 0
  #busyMs = 0
  #waitedMs = 0

  constructor(loop: Loop) {
    this.#loop = loop
    this.sample()
  }

  /** Since the last one. */
  sample(): Load {
    const { rounds, busyMs } = this.#loop
    const at = performance.now()
    const waitedMs = waitedForProcessorMs()
    const passedMs = Math.max(1, at - this.#at)
    const made = rounds - this.#rounds
    const tookMs = busyMs - this.#busyMs + (waitedMs - this.#waitedMs)
    this.#at = at
    this.#rounds = rounds
    this.#busyMs = busyMs
    this.#waitedMs = waitedMs
    return {
      roundsPerSecond: (made * 1000) / passedMs,
      roundUs: made === 0 ? 0 : (tookMs * 1000) / made,
    }
  }
}

/** How long the thread of the loop, which is the first one of the process, was ready and had no processor. */
function waitedForProcessorMs(): number {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1')
    return Number(text.split(' ')[1] ?? 0) / 1_000_000
  } catch (error) {
    // A kernel without these figures: then only the work itself counts.
    if (!(error instanceof Error && 'code' in error)) throw error
    return 0
  }
}
