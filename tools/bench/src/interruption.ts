/** Ctrl-C: the lab is removed, whatever is measured at that moment, and the process ends. */
import type { Lab } from '@holdfast/lab'

export class Interruption {
  readonly #lab: Lab
  #removal: Promise<void> | undefined
  #happened = false

  constructor(lab: Lab) {
    this.#lab = lab
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        this.#happened = true
        // A removal that fails is thrown where the main program waits for the same one.
        void this.removeLab().then(() => process.exit(130))
      })
    }
  }

  get happened(): boolean {
    return this.#happened
  }

  /** One removal for both: the load that is killed by it fails, and that failure ends in a removal as well. */
  removeLab(): Promise<void> {
    this.#removal ??= this.#lab.remove()
    return this.#removal
  }
}
