/** Keeps secrets and endless texts out of log entries, whatever a caller passes. */

const textCharactersMax = 4_096
const itemsMax = 100
const depthMax = 6
const secretName = /(key|token|password|passwd|secret)s?$/i

/** A copy with fields named like secrets replaced, texts cut, and everything made JSON. */
export function masked(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields).slice(0, itemsMax)) {
    if (value === undefined) continue
    copy[name] = secretName.test(name) ? '***' : plain(value, 1)
  }
  return copy
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  if (value instanceof Error) return cut(value.message)
  if (depth > depthMax) return '…'
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => plain(item, depth + 1))
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return typeof value // A function or symbol: a mistake of the caller.
  const copy: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value).slice(0, itemsMax)) {
    if (inner !== undefined) copy[name] = secretName.test(name) ? '***' : plain(inner, depth + 1)
  }
  return copy
}

function cut(text: string): string {
  return text.length <= textCharactersMax ? text : `${text.slice(0, textCharactersMax)}…`
}
