/**
 * Whether a system call that can take long does so on this disk. Handing it to a thread costs two wake-ups, which on a
 * fast disk (memory, a cache with a battery) is more than the call itself; done by the loop it keeps everybody waiting. So
 * the loop does it itself as long as such calls were quick lately: nothing else tells what a disk is like. Pure.
 */

/** About what two wake-ups cost. Microseconds. */
const QUICK_US = 200
/** The weight of the last call in the average: one of 10 ms keeps the next hundred from the loop. */
const WEIGHT = 1 / 16

export class Promptness {
  /** Of a disk of which nothing is known, many have to be quick first. */
  #averageUs = 100 * QUICK_US

  /** Is the next call likely to be quick? */
  get isPrompt(): boolean {
    return this.#averageUs < QUICK_US
  }

  /** How long one took, wherever it was done. */
  took(microseconds: number): void {
    this.#averageUs += (microseconds - this.#averageUs) * WEIGHT
  }
}
