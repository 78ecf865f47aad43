/** Typed names of the things that are injected. A token carries a type and an id, never a value. */

export interface Token<T> {
  readonly kind: 'token'
  /** `<owner>.<noun>`, for example `core.clock`. */
  readonly id: string
  /** Never set: it only carries the type. */
  readonly phantom?: T
}

/** An extension point: whoever needs it receives the ordered list of all contributions. */
export interface Point<T> {
  readonly kind: 'point'
  /** `point.<singular>`, for example `point.resource`. */
  readonly id: string
  readonly phantom?: T
}

/** The same, for whoever goes on while contributors come and go; see `live`. */
export interface LivePoint<T> {
  readonly kind: 'live'
  readonly id: string
  readonly phantom?: T
}

/** The contributions of this moment. */
export interface Contributions<T> {
  /** Id of the contribution → the contribution, sorted by id. */
  all(): ReadonlyMap<string, T>
  /**
   * Calls after each change, never for what is there already. When the promise that `on` returns is settled, a contribution that
   * went must no longer be used: its plugin is stopped then, or when that plugin's stop time-out is over.
   */
  watch(on: () => Promise<void> | void): () => void
}

export function token<T>(id: string): Token<T> {
  return { kind: 'token', id }
}

export function point<T>(id: string): Point<T> {
  return { kind: 'point', id }
}

/**
 * A need for contributions with their ids, kept up to date: `{ checkers: live(checker) }` receives `Contributions<Checker>`.
 * Reconfiguring or disabling a contributor then leaves the plugin that needs them alone. The manifest writes it with a
 * star, `point.checker*`.
 */
export function live<T>(of: Point<T>): LivePoint<T> {
  return { kind: 'live', id: of.id }
}

/**
 * A need that may be missing: `activate` receives undefined then. The manifest writes it with a question mark,
 * `data.replica?`.
 */
export function optional<T>(of: Token<T>): Token<T | undefined> {
  return { kind: 'token', id: of.id }
}
