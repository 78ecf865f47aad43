/** The fault matrix as lines of JSON and as a Markdown table. Pure. */
import type { Impossible, MatrixRow } from './matrix.js'

type Row = MatrixRow | Impossible

export function matrixLine(row: Row): string {
  const { name, what, resource } = row.fault
  if ('impossible' in row) return JSON.stringify({ name, what, resource, skipped: row.impossible })
  const { rule, action, cause, medianMs, leastMs, mostMs, rounds } = row
  return JSON.stringify({
    ...{ name, what, resource, rule, action, cause },
    ...{ medianMs: Math.round(medianMs), range: [leastMs, mostMs], rounds },
  })
}

const head = ['resource', 'what happens', 'action', 'cause that is shown', 'median', 'range']

export function matrixTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const { resource, what } = row.fault
    if ('impossible' in row) return [resource, what, `not measured: ${row.impossible}`, '', '', '']
    const { action, rule, cause, leastMs, mostMs, medianMs } = row
    const shown = cause.replace(`rule ${rule}: `, '')
    const range = `${seconds(leastMs)} – ${seconds(mostMs)}`
    return [resource, what, `${action} (${rule})`, shown, seconds(medianMs), range]
  })
  const cells = [head, head.map(() => '---'), ...lines]
  return cells.map((line) => `| ${line.map(cell).join(' | ')} |`).join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

const begin = '<!-- fault matrix: written by npm run bench -- checkers --docs -->'
const end = '<!-- end of the fault matrix -->'

/** The document with its table replaced; undefined: it has no place for one. */
export function withMatrix(document: string, table: string): string | undefined {
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < from) return undefined
  return `${document.slice(0, from)}${begin}\n\n${table}\n\n${document.slice(to)}`
}
