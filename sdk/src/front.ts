/** For topologies: what all of them owe to those who command and watch them, whatever they decide. */
import type { Cancel, Log } from './services.js'
import type { ModuleState } from './topology.js'
import type { Verdict } from './verdict.js'

export class Front {
  readonly #log: Log
  readonly #watchers = new Set<(state: ModuleState) => void>()
  readonly #waiting = new Map<number, (verdict: Verdict) => void>()
  #shown: ModuleState
  #ticket = 0

  constructor(log: Log, first: ModuleState) {
    this.#log = log
    this.#shown = first
  }

  state(): ModuleState {
    return this.#shown
  }

  watch(on: (state: ModuleState) => void): Cancel {
    this.#watchers.add(on)
    return () => this.#watchers.delete(on)
  }

  /**
   * Tells the watchers when anything changed. `sinceMs` counts for a new role only. A step of the machine names its event
   * (`on`): then the log says what became of the state.
   */
  show(next: ModuleState, on?: string): void {
    const before = this.#shown
    const sinceMs = before.role === next.role ? before.sinceMs : next.sinceMs
    const shown = { ...next, sinceMs }
    this.#shown = shown
    if (JSON.stringify(before) === JSON.stringify(shown)) return
    if (on !== undefined) this.#record(before, shown, on)
    for (const watcher of this.#watchers) watcher(shown)
  }

  /** Hands the question on with a ticket, and waits until the ticket is answered. */
  async ask(post: (ticket: number) => void): Promise<Verdict> {
    const ticket = ++this.#ticket
    const answered = new Promise<Verdict>((resolve) => this.#waiting.set(ticket, resolve))
    post(ticket)
    return await answered
  }

  answer(ticket: number, verdict: Verdict): void {
    this.#waiting.get(ticket)?.(verdict)
    this.#waiting.delete(ticket)
  }

  /** Nobody decides any more: whoever still waits gets this. */
  close(verdict: Verdict): void {
    for (const [, answer] of this.#waiting) answer(verdict)
    this.#waiting.clear()
  }

  #record(before: ModuleState, { role, sub, cause, hint }: ModuleState, on: string): void {
    if (before.role === role && before.sub === sub && before.cause === cause) return
    const fields = { text: `${role} (${sub})`, from: before.role, role, sub, cause, hint, on }
    this.#log.write('event', 'stateChanged', fields)
  }
}
