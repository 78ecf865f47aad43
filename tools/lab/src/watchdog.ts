/** The watchdog of a host: a pipe inside the host stands for the device, and this process for its hardware. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { mustRun } from './command.js'
import { monotonicMs } from './wait.js'

/** Where a host of a lab with watchdogs has it. */
export const watchdogDevice = '/run/watchdog'

const lookEveryMs = 50
/** Written last, it switches the device off; any other byte says that the host lives. */
const magicClose = 'V'

export class Watchdog {
  readonly #timeoutMs: number
  readonly #pipe: number
  readonly #timer: NodeJS.Timeout
  #deadlineMs: number | undefined

  private constructor(file: string, timeoutMs: number, expire: () => void) {
    this.#timeoutMs = timeoutMs
    // A reader that never waits and never sees an end of file: the host opens and closes its end as it likes.
    this.#pipe = openSync(file, constants.O_RDWR | constants.O_NONBLOCK)
    this.#timer = setInterval(() => {
      if (this.#isNeglected()) {
        clearInterval(this.#timer)
        this.#deadlineMs = undefined
        expire()
      }
    }, lookEveryMs)
    this.#timer.unref()
  }

  /** Makes the pipe `file`. Calls `expire` once, when it was armed and not fed for `timeoutMs`. */
  static async install(file: string, timeoutMs: number, expire: () => void): Promise<Watchdog> {
    await mustRun('mkfifo', ['--mode=600', file])
    return new Watchdog(file, timeoutMs, expire)
  }

  get isArmed(): boolean {
    return this.#deadlineMs !== undefined
  }

  /** The power is gone, and the watchdog with it. */
  remove(): void {
    clearInterval(this.#timer)
    this.#deadlineMs = undefined
    closeSync(this.#pipe)
  }

  /** Reads before it judges: a look that comes late must not be held against the host. */
  #isNeglected(): boolean {
    const said = this.#read()
    if (said.endsWith(magicClose)) this.#deadlineMs = undefined
    else if (said !== '') this.#deadlineMs = monotonicMs() + this.#timeoutMs
    return this.#deadlineMs !== undefined && monotonicMs() > this.#deadlineMs
  }

  #read(): string {
    const bytes = Buffer.alloc(1_024)
    try {
      return bytes.toString('latin1', 0, readSync(this.#pipe, bytes))
    } catch (error) {
      // Whatever node:fs throws is an ErrnoException; this one says that nothing was written.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    }
  }
}
