/** `format: cron`: what is wrong with a cron expression of five fields, for the operator. Pure. */

const fields = [
  { name: 'minute', from: 0, to: 59, names: [] },
  { name: 'hour', from: 0, to: 23, names: [] },
  { name: 'day of month', from: 1, to: 31, names: [] },
  {
    name: 'month',
    from: 1,
    to: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  {
    name: 'day of week',
    from: 0,
    to: 7,
    names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  },
] as const

/** Undefined: nothing. */
export function cronProblem(expression: string): string | undefined {
  const words = expression.trim().split(/\s+/)
  if (words.length !== fields.length) {
    const all = fields.map(({ name }) => name).join(', ')
    return `write five fields: ${all}, as in "30 2 * * 0"`
  }
  for (const [index, field] of fields.entries()) {
    const word = words[index] ?? ''
    if (word.split(',').every((part) => isPart(part, field))) continue
    const { name, from, to } = field
    return `"${word}" is no ${name}; allowed: *, ${from} to ${to}, ranges as 1-5, lists as 1,3, steps as */2`
  }
  return undefined
}

function isPart(part: string, field: (typeof fields)[number]): boolean {
  const [range = '', step, ...more] = part.split('/')
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d?$/.test(step))) return false
  if (range === '*') return true
  const ends = range.split('-').map((end) => valueOf(end, field))
  const [first = -1, last = first] = ends
  return ends.length <= 2 && !ends.includes(-1) && first <= last
}

/** -1: none. */
function valueOf(text: string, { from, to, names }: (typeof fields)[number]): number {
  const named = names.findIndex((name) => name === text.toLowerCase())
  if (named >= 0) return named + from
  const value = /^\d{1,2}$/.test(text) ? Number(text) : -1
  return value >= from && value <= to ? value : -1
}
