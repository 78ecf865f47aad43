/**
 * Whether the source tells what a file holds before the target was asked for it: pure. Where both sides have the same, that
 * saves the way there and back for each file; where the target has nothing, it would be read in vain.
 */

/** Of what is known of the last files, how much a new one counts. */
const WEIGHT = 1 / 16
/** So many must be the same for prints to be worth it: one costs far less than a file that is asked for. */
const SAME_MIN = 1 / 4

export class Foresight {
  /** At first it is expected that both sides have the same. */
  #same = 1

  get prints(): boolean {
    return this.#same >= SAME_MIN
  }

  /** What was compared was the same, or not, or the target had no such file. */
  told(same: boolean): void {
    this.#same += ((same ? 1 : 0) - this.#same) * WEIGHT
  }
}
