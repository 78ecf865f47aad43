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

export function token<T>(id: string): Token<T> {
  return { kind: 'token', id }
}

export function point<T>(id: string): Point<T> {
  return { kind: 'point', id }
}

/**
 * A need that may be missing: `activate` receives undefined then. The manifest writes it with a question mark,
 * `data.replica?`.
 */
export function optional<T>(of: Token<T>): Token<T | undefined> {
  return { kind: 'token', id: of.id }
}
