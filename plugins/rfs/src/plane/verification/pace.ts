/**
 * How long a verification rests between two questions, so that applications hardly feel it: pure. Both loops stand still for
 * a question; they may do so for a written share of the time. Short rests are saved up: no timer is that exact.
 */

/** Of the time of either loop. */
const SHARE = 0.2
/** A rest below this is owed and taken later. */
const REST_MS_MIN = 2

export class Pace {
  #owedMs = 0

  /** The rest after a question that kept the loops of both sides busy for so long; 0: none now. */
  restAfter(hereMs: number, thereMs: number): number {
    this.#owedMs += Math.max(hereMs, thereMs) * (1 / SHARE - 1)
    if (this.#owedMs < REST_MS_MIN) return 0
    const rest = this.#owedMs
    this.#owedMs = 0
    return rest
  }
}
