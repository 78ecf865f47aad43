/** A table of text for the terminal. */
import { columnMin, wrap } from './format.js'
import type { Colour, Terminal } from './terminal.js'
import { inLocalTime } from './times.js'

export interface Cell {
  readonly text: string
  readonly colour?: Colour
}

/** A row of cells, or a line below the row before. */
export type Row = readonly Cell[] | { readonly note: string; readonly colour?: Colour }

const gap = '  '

/** The last column takes what is left of the screen, and is wrapped there: it holds causes, and those must be read whole. */
export function writeTable(
  terminal: Terminal,
  heads: readonly string[],
  rows: readonly Row[],
): void {
  const read = rows.map(asRead)
  const lines = read.filter((row): row is readonly Cell[] => Array.isArray(row))
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => line[column]?.text.length ?? 0)),
  )
  const all: Row[] = [heads.map((text): Cell => ({ text, colour: 'grey' })), ...read]
  const indent = (widths[0] ?? 0) + gap.length
  for (const row of all) {
    if ('note' in row) writeBelow(terminal, row.note, row.colour, indent)
    else writeRow(terminal, row, widths)
  }
}

/** Before columns are measured. */
function asRead(row: Row): Row {
  if ('note' in row) return row
  return row.map((cell) => ({ ...cell, text: inLocalTime(cell.text) }))
}

function writeRow(terminal: Terminal, row: readonly Cell[], widths: readonly number[]): void {
  const [last, before] = [row.at(-1), row.slice(0, -1)]
  const parts = before.map(({ text, colour }, column) => {
    return coloured(terminal, colour, text.padEnd(widths[column] ?? 0))
  })
  const indent = before.reduce((sum, _, column) => sum + (widths[column] ?? 0) + gap.length, 0)
  const room = terminal.width - indent
  const text = last?.text ?? ''
  if (room < columnMin && text.length > room) {
    terminal.out(parts.join(gap).trimEnd())
    writeBelow(terminal, text, last?.colour, (widths[0] ?? 0) + gap.length)
    return
  }
  const [first = '', ...others] = wrap(text, room)
  terminal.out([...parts, coloured(terminal, last?.colour, first)].join(gap).trimEnd())
  for (const line of others) {
    terminal.out(`${' '.repeat(indent)}${coloured(terminal, last?.colour, line)}`)
  }
}

function writeBelow(
  terminal: Terminal,
  text: string,
  colour: Colour | undefined,
  indent: number,
): void {
  for (const line of wrap(text, terminal.width - indent)) {
    terminal.out(`${' '.repeat(indent)}${coloured(terminal, colour, line)}`)
  }
}

function coloured(terminal: Terminal, colour: Colour | undefined, text: string): string {
  return colour === undefined || text === '' ? text : terminal.colour(colour, text)
}
