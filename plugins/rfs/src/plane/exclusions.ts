/**
 * What is left out of the replication (`<notreplicated>`): pure. Paths are byte strings (latin1), so the rules are turned
 * into bytes too. Both nodes and every program that compares the trees ask here.
 */
import type { BytePath } from './resync-port.js'

/** As the configuration has it; exactly one of the two. */
export interface ExclusionRule {
  /** Relative to the directory: this name and everything beneath it. */
  readonly path?: string
  /** A POSIX extended regular expression over the relative path; `!` before it: only files that match are replicated. */
  readonly regexpath?: string
}

export class Exclusions {
  readonly #paths: ReadonlySet<BytePath>
  readonly #patterns: readonly RegExp[]
  readonly #only: readonly RegExp[]

  /** Throws SyntaxError for an expression that is none. */
  constructor(rules: readonly ExclusionRule[]) {
    const expressions = rules.flatMap(({ regexpath }) => regexpath ?? [])
    this.#paths = new Set(rules.flatMap(({ path }) => (path === undefined ? [] : bytesOf(path))))
    this.#patterns = expressions.filter((one) => !one.startsWith('!')).map(compile)
    this.#only = expressions
      .filter((one) => one.startsWith('!'))
      .map((one) => compile(one.slice(1)))
  }

  /** Does it depend on more than the path itself what is left out beneath a directory? */
  get hasPatterns(): boolean {
    return this.#patterns.length + this.#only.length > 0
  }

  /** Is this very name left out? What lies in a directory that is left out is so too: the caller comes from above. */
  matches(path: BytePath, isDirectory: boolean): boolean {
    if (this.#paths.has(path) || this.#patterns.some((one) => one.test(path))) return true
    // Directories lead to files that may match, so they are always replicated.
    return !isDirectory && this.#only.length > 0 && !this.#only.some((one) => one.test(path))
  }

  /** Is this name left out, or a directory above it? */
  covers(path: BytePath, isDirectory: boolean): boolean {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      if (this.matches(path.slice(0, at), true)) return true
    }
    return this.matches(path, isDirectory)
  }

  /** Does a path rule name something beneath this directory? */
  reachesInto(directory: BytePath): boolean {
    for (const path of this.#paths) if (path.startsWith(`${directory}/`)) return true
    return false
  }
}

/** Undefined when nothing is left out: then nobody asks. */
export function exclusionsOf(rules: readonly ExclusionRule[] | undefined): Exclusions | undefined {
  return rules === undefined || rules.length === 0 ? undefined : new Exclusions(rules)
}

/** Is this name left out of its volume, or a directory above it? */
export function isLeftOut(
  exclusions: ReadonlyMap<number, Exclusions>,
  volume: number,
  path: BytePath,
  isDirectory: boolean,
): boolean {
  return exclusions.get(volume)?.covers(path, isDirectory) ?? false
}

/** Those of several volumes, by their number. */
export function exclusionsIn(
  volumes: readonly { readonly index: number; readonly notReplicated?: readonly ExclusionRule[] }[],
): ReadonlyMap<number, Exclusions> {
  const found = new Map<number, Exclusions>()
  for (const { index, notReplicated } of volumes) {
    const exclusions = exclusionsOf(notReplicated)
    if (exclusions !== undefined) found.set(index, exclusions)
  }
  return found
}

/** What is wrong with a rule, for the operator; undefined: nothing. */
export function ruleProblem({ path, regexpath }: ExclusionRule): string | undefined {
  if ((path === undefined) === (regexpath === undefined)) {
    return 'write either path="…" or regexpath="…"'
  }
  if (path !== undefined) {
    const plain = path.split('/').every((one) => one !== '' && one !== '.' && one !== '..')
    return plain
      ? undefined
      : `"${path}" is not a plain path relative to the directory, as in "cache/tmp"`
  }
  try {
    compile((regexpath ?? '').replace(/^!/, ''))
    return undefined
  } catch (error) {
    if (error instanceof SyntaxError) return `"${regexpath ?? ''}": ${error.message}`
    throw error
  }
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9A-Fa-f',
}

/** The classes of POSIX are the only thing that people write and JavaScript does not know. */
function compile(expression: string): RegExp {
  const known = expression.replace(
    /\[:([a-z]+):\]/g,
    (whole, name: string) => CLASSES[name] ?? whole,
  )
  return new RegExp(bytesOf(known))
}

function bytesOf(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1')
}
