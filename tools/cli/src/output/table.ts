/** A table of text for the terminal. */
import type { Colour, Terminal } from './terminal.js'

export interface Cell {
  readonly text: string
  readonly colour?: Colour
}

/** A row of cells, or a line below the row before. */
export type Row = readonly Cell[] | { readonly note: string; readonly colour?: Colour }

const gap = '  '

/** The last column takes what is left of the screen and is cut there. */
export function writeTable(
  terminal: Terminal,
  heads: readonly string[],
  rows: readonly Row[],
): void {
  const lines = rows.filter((row): row is readonly Cell[] => Array.isArray(row))
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => line[column]?.text.length ?? 0)),
  )
  const all: Row[] = [heads.map((text): Cell => ({ text, colour: 'grey' })), ...rows]
  for (const row of all) {
    if ('note' in row) {
      const text = cut(`${' '.repeat(widths[0] ?? 0)}${gap}${row.note}`, terminal.width)
      terminal.out(row.colour === undefined ? text : terminal.colour(row.colour, text))
    } else {
      terminal.out(lineOf(terminal, row, widths))
    }
  }
}

function lineOf(terminal: Terminal, row: readonly Cell[], widths: readonly number[]): string {
  let used = 0
  const parts = row.map((cell, column) => {
    const isLast = column === row.length - 1
    const width = widths[column] ?? 0
    const text = isLast ? cut(cell.text, terminal.width - used) : cell.text.padEnd(width)
    used += width + gap.length
    return cell.colour === undefined ? text : terminal.colour(cell.colour, text)
  })
  return parts.join(gap).trimEnd()
}

export function cut(text: string, width: number): string {
  if (text.length <= width) return text
  return width <= 1 ? '' : `${text.slice(0, width - 1)}…`
}
