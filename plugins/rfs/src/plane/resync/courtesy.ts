/**
 * How much of its time the source of a copy may work while applications write: pure. A copy takes processors, disk and memory
 * from them; what they feel of it is how long the loop needs for a round of requests, the time included in which it was ready and
 * did not get a processor. As long as that is short the copy takes more, and when it grows it quickly takes less.
 */

/** What the loop saw in the last period. */
export interface Load {
  /** Rounds of requests in a second. */
  readonly roundsPerSecond: number
  /** Mean time of a round, from the moment when it could have begun. */
  readonly roundUs: number
}

/** The copy always goes on: its secondary is what is missing for the next failure. */
export const SHARE_MIN = 1 / 8
const SHARE_STEP = 1 / 16
/** Fewer rounds are the product's own, or nobody who would notice. */
const ROUNDS_MIN = 20
/** Nobody feels less than this. */
const ROUND_US_ALLOWED = 500
/** A round may take so many times what it takes while the copy does the least. */
const TIMES_QUIET = 2
/** Of the mean of quiet periods, how much a new one counts. */
const QUIET_WEIGHT = 1 / 4

export class Courtesy {
  /** Of the time, how much the copy may work. */
  share = 1
  /** Mean round while the copy did the least: what is slower than this is not the copy's doing. */
  #quietUs: number | undefined

  /** Tells what the last period was like; returns the share of the next one. */
  next({ roundsPerSecond, roundUs }: Load): number {
    if (roundsPerSecond < ROUNDS_MIN) {
      this.share = Math.min(1, this.share * 2)
      return this.share
    }
    if (this.share === SHARE_MIN) {
      const known = this.#quietUs ?? roundUs
      this.#quietUs = known + (roundUs - known) * QUIET_WEIGHT
    }
    const allowed = Math.max(ROUND_US_ALLOWED, TIMES_QUIET * (this.#quietUs ?? 0))
    this.share =
      roundUs > allowed ? Math.max(SHARE_MIN, this.share / 2) : Math.min(1, this.share + SHARE_STEP)
    return this.share
  }
}
