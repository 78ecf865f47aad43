/** How quantities and states are written for people. Pure. */
import type { Progress } from '@holdfast/sdk'
import type { StateView } from '../api/views.js'
import type { Colour } from './terminal.js'

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? 'B'}`
}

/** `42s`, `3m12s`, `5h07m`, `2d04h`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${String(seconds)}s`
  const [minutes, hours, days] = [60, 3600, 86_400].map((size) => Math.floor(seconds / size))
  if (seconds < 3600) return `${String(minutes)}m${two(seconds % 60)}s`
  if (seconds < 86_400) return `${String(hours)}h${two((minutes ?? 0) % 60)}m`
  return `${String(days)}d${two((hours ?? 0) % 24)}h`
}

export function progressLine(progress: Progress): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal, bytesPerSecond, etaSeconds } =
    progress
  const share =
    bytesTotal === undefined || bytesTotal === 0
      ? ''
      : ` ${String(Math.min(100, Math.floor((100 * bytesDone) / bytesTotal)))}%`
  const size =
    bytesTotal === undefined ? bytes(bytesDone) : `${bytes(bytesDone)} of ${bytes(bytesTotal)}`
  const files =
    filesTotal === undefined
      ? `${String(filesDone)} files`
      : `${String(filesDone)}/${String(filesTotal)} files`
  const rate = `${bytes(bytesPerSecond)}/s`
  const left = etaSeconds === undefined ? '' : ` · ${duration(etaSeconds * 1000)} left`
  return `${phase}${share} · ${size} · ${files} · ${rate}${left}`
}

/** `PRIM ✓ Ready`: the mark says without colours what the colour says. */
export function stateText(state: Pick<StateView, 'role' | 'sub'>): string {
  const stopped = state.role === 'STOP' ? '✗' : '○'
  const mark = { Ready: '✓', Transient: '↻', NotReady: stopped }[state.sub]
  return `${state.role} ${mark} ${state.sub}`
}

export function stateColour(state: Pick<StateView, 'sub'>): Colour {
  const colours = { Ready: 'green', Transient: 'orange', NotReady: 'red' } as const
  return colours[state.sub]
}

/** Text that others wrote (scripts, peers, files) must not move the cursor of whoever reads it. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}

/** Text in a narrower column can't be read. */
export const columnMin = 24

/** Lines of at most `width` characters (but never of fewer than a column needs), cut between words where possible. */
export function wrap(text: string, width: number): readonly string[] {
  const room = Math.max(width, columnMin)
  const lines: string[] = []
  let rest = text
  while (rest.length > room) {
    const space = rest.lastIndexOf(' ', room)
    const end = space > 0 ? space : room
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
