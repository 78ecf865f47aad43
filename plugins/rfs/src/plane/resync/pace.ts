/** The limit of a copy's bandwidth (`reiallowedbw`): pure. What is sent is counted, and earned with the time that passes. */

/** A pause is made up for by at most so much at once. */
const CREDIT_MS_MAX = 100

export class Pace {
  #earnedAt: number | undefined
  #credit = 0
  #counted = 0

  /** Infinity: no limit. */
  constructor(readonly bytesPerSecond: number) {}

  /** How long to wait before more is made. `sent`: all bytes so far. */
  waitMs(nowMs: number, sent: number): number {
    if (this.bytesPerSecond === Infinity) return 0
    const rate = this.bytesPerSecond / 1_000
    const most = rate * CREDIT_MS_MAX
    const passedMs = nowMs - (this.#earnedAt ?? nowMs)
    this.#earnedAt = nowMs
    this.#credit = Math.min(most, this.#credit + passedMs * rate) - (sent - this.#counted)
    this.#counted = sent
    return this.#credit >= 0 ? 0 : Math.ceil(-this.#credit / rate)
  }
}
