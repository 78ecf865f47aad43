/**
 * Moments in what is told: people read them in their own time zone, wherever the sentence was made; programs get them
 * as ISO 8601 in UTC. Nothing but the time zone is asked.
 */

/** A number of milliseconds as large as this is a moment and not a span: 1e12 is in the year 2001, or 31 years. */
const momentMsMin = 1e12
/** The last one that has a date. */
const momentMsMax = 8.64e15

/** `2026-11-21 09:12:01.042`, in the time zone of the reader. */
export function instant(atMs: number): string {
  const at = new Date(atMs)
  const date = `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  return `${date} ${time}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

/** The sentences of nodes and plugins have moments in UTC: who makes them knows no reader. */
export function inLocalTime(text: string): string {
  return text.replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z/g, (written) => {
    const atMs = Date.parse(written)
    return Number.isNaN(atMs) ? written : instant(atMs)
  })
}

/** Beside each `sinceMs` that is a moment, `since` as ISO 8601. */
export function withInstants(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withInstants)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).flatMap(([name, one]: [string, unknown]) => {
    const short = name.slice(0, -2)
    const isNew = name.endsWith('Ms') && !Object.hasOwn(value, short)
    return [[name, withInstants(one)], ...(isNew && isMoment(one) ? [[short, isoOf(one)]] : [])]
  })
  return Object.fromEntries(entries)
}

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && value >= momentMsMin && value <= momentMsMax
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString()
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
