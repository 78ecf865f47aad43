/** Checks that stay on in production: a process that no longer knows its state must end. */

/** Throws when `condition` does not hold. `message` says what must hold, as a sentence. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}

/** Ends a switch over a union: a case that is not handled does not compile. */
export function assertNever(value: never): never {
  throw new Error(`assertion failed: unhandled case ${JSON.stringify(value)}`)
}
