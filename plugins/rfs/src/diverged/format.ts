/**
 * What is on disk of files that were set aside: the data plane writes it before a copy overwrites them, the plugin lists and
 * restores them. Pure.
 *
 * `<state>/diverged/<date>-<generation>/` holds `about.json`, `index.jsonl` and `files/<volume>/<path>`.
 */

/** One kept file, as a line of `index.jsonl`. */
export interface AsideLine {
  readonly volume: number
  readonly path: string
  /** The path's bytes in hexadecimal, when they are not UTF-8. */
  readonly bytes?: string
  readonly type: 'file' | 'link' | 'other'
  readonly size: number
  readonly mtimeMs: number
  readonly why: AsideReason
}

/** `changed`: the other node's content is another. `removed`: the other node has no such file there. */
export type AsideReason = 'changed' | 'removed'

/** The last line: everything that differed is here, a later copy has nothing to add. */
export interface AsideEnd {
  readonly complete: true
  readonly files: number
  readonly bytes: number
}

/** Undefined: torn, or not the line of a file. */
export function lineOf(text: string): AsideLine | undefined {
  const value = parsed(text)
  const isLine = typeof value === 'object' && value !== null && 'volume' in value && 'path' in value
  // Only this file writes lines with these two fields, and writes them whole.
  return isLine ? (value as AsideLine) : undefined
}

/** The last line of a set to which no later copy has anything to add. */
export function endOf(text: string): AsideEnd | undefined {
  const value = parsed(text)
  const isEnd = typeof value === 'object' && value !== null && 'complete' in value
  // Only the data plane writes lines with this field, and writes them whole.
  return isEnd ? (value as AsideEnd) : undefined
}

/** The path's bytes: a name is any bytes. */
export function pathOf({ path, bytes }: AsideLine): Buffer {
  return bytes === undefined ? Buffer.from(path) : Buffer.from(bytes, 'hex')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    // The power was cut while it was written: what it meant is kept again.
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}
