/** The one error class of Holdfast: a stable code, what was being done, and what to do next. */

export interface ErrorFields {
  readonly [name: string]: string | number | boolean | undefined
}

/**
 * An expected failure that crosses a boundary (API, CLI, log).
 * `code` is stable (`E_<AREA>_<WHAT>`); `message` says what is wrong; `hint` says what to do next.
 */
export class HoldfastError extends Error {
  readonly code: string
  readonly hint: string | undefined
  readonly fields: ErrorFields

  constructor(
    code: string,
    message: string,
    options: { hint?: string; fields?: ErrorFields; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HoldfastError'
    this.code = code
    this.hint = options.hint
    this.fields = options.fields ?? {}
  }
}

/** The text of anything that was thrown, for a log field or an error message. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
