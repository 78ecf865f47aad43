/** A pure state machine: every decision about a role is one call of `step`. */

/**
 * `step` reads no clock, no file, no network. Events are facts in the past tense; actions are orders
 * in the order of duty: first what must be on disk, then what others may see.
 */
export interface Machine<State, Event, Action> {
  readonly initial: State
  step(state: State, event: Event): { readonly next: State; readonly actions: readonly Action[] }
}
