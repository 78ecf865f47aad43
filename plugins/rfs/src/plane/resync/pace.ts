/**
 * When the source of a copy waits: for the limit of its bandwidth (`reiallowedbw`), where what is sent is counted and earned
 * with the time that passes, and for the sake of applications, by its share of the time (courtesy.ts). Pure.
 */

/** A pause is made up for by at most so much at once. */
const CREDIT_MS_MAX = 100

export class Pace {
  #earnedAt: number | undefined
  #credit = 0
  #counted = 0
  /** Of its time, how much it may work. */
  share = 1
  #restsUntil = 0

  /** Infinity: no limit. */
  constructor(readonly bytesPerSecond: number) {}

  /** How long to wait before more is made. `sent`: all bytes so far. */
  waitMs(nowMs: number, sent: number): number {
    return Math.max(0, this.#restsUntil - nowMs, this.#bandwidthWaitMs(nowMs, sent))
  }

  /** After so much work it rests for as long as its share says. */
  worked(fromMs: number, untilMs: number): void {
    this.#restsUntil = untilMs + (untilMs - fromMs) * (1 / this.share - 1)
  }

  #bandwidthWaitMs(nowMs: number, sent: number): number {
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
