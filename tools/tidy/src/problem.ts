/** What a rule found: where, what, and what to do instead. */

export interface Problem {
  readonly rule: string
  /** From the root of the repository. */
  readonly path: string
  readonly line: number
  readonly message: string
}

export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => compare(a.path, b.path) || a.line - b.line || compare(a.message, b.message),
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
