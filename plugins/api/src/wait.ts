/** Waiting for a state of a module: the long poll behind `waitstate`. */
import { type Clock, type Control, HoldfastError } from '@holdfast/sdk'
import { apiErrors } from './errors.js'
import { presentState, type StateAnswer } from './present.js'

export interface WaitAnswer {
  readonly reached: boolean
  /** Undefined: the module is not configured. */
  readonly state: StateAnswer | undefined
}

/** Each wait holds a connection and a watch; more than this at a time is a client gone wrong. */
const waitsMax = 256

export class Waits {
  readonly #control: Control
  readonly #clock: Clock
  readonly #endings = new Set<() => void>()

  constructor(control: Control, clock: Clock) {
    this.#control = control
    this.#clock = clock
  }

  /** Resolves when `module` has one of `roles` with `sub` (undefined: stable), or after `timeoutMs`. */
  wait(
    module: string,
    roles: readonly string[],
    sub: string | undefined,
    timeoutMs: number,
  ): Promise<WaitAnswer> {
    const now = this.#look(module, roles, sub)
    if (now.reached || timeoutMs === 0) return Promise.resolve(now)
    if (this.#endings.size >= waitsMax) {
      return Promise.reject(
        new HoldfastError(apiErrors.busy, `${String(waitsMax)} waits are open already`, {
          hint: 'end some of the clients that wait, then repeat',
        }),
      )
    }
    return new Promise((resolve, reject) => {
      const end = () => {
        stopWatching()
        stopTimer()
        this.#endings.delete(end)
        // The module may be gone meanwhile: that refusal is the answer.
        try {
          resolve(this.#look(module, roles, sub))
        } catch (thrown) {
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
        }
      }
      const stopTimer = this.#clock.after(timeoutMs, end)
      const stopWatching = this.#control.watch((event) => {
        if (event.kind !== 'moduleState' || event.module !== module) return
        if (isReached(presentState(event.state), roles, sub)) end()
      })
      this.#endings.add(end)
    })
  }

  /** Answers all open waits with the state of this moment. */
  endAll(): void {
    for (const end of [...this.#endings]) end()
  }

  #look(module: string, roles: readonly string[], sub: string | undefined): WaitAnswer {
    const { state } = this.#control.module(module)
    if (state === undefined) return { reached: false, state: undefined }
    const answer = presentState(state)
    return { reached: isReached(answer, roles, sub), state: answer }
  }
}

function isReached(state: StateAnswer, roles: readonly string[], sub: string | undefined): boolean {
  const subFits = sub === undefined ? state.stable : state.sub === sub
  return roles.includes(state.role) && subFits
}
