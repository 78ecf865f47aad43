/** What a person sees: one line for each thing that happens, with the seconds since the start. Colours on a terminal only. */
import { monotonicMs } from '@holdfast/lab'

type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

const codes: Readonly<Record<Colour, string>> = {
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
  bold: '1',
  dim: '2',
}

const causeCharactersMax = 100

export class Terminal {
  readonly #startMs = monotonicMs()
  readonly #coloured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined

  /** A new part of the story. */
  step(title: string, explanation: string): void {
    console.log(`\n${this.paint('bold', title)}  ${this.paint('dim', explanation)}`)
  }

  /** Something that happened. */
  event(text: string): void {
    const seconds = ((monotonicMs() - this.#startMs) / 1000).toFixed(2).padStart(7)
    console.log(`${this.paint('dim', `${seconds} s`)}  ${text}`)
  }

  /** A command as the operator types it. */
  command(node: string, command: string): void {
    this.event(`${this.paint('cyan', `${node}#`)} ${this.paint('bold', command)}`)
  }

  /** A new state of a node, in the colour of the reference: red, orange, green. */
  state(node: string, state: string, cause: string): void {
    const colour = state.endsWith(' Ready')
      ? 'green'
      : state.endsWith(' Transient')
        ? 'yellow'
        : 'red'
    const reason = (cause.split('\n')[0] ?? '').slice(0, causeCharactersMax)
    const why = reason === '' ? '' : this.paint('dim', `  ${reason}`)
    this.event(`${node}  ${this.paint(colour, state.padEnd(16))}${why}`)
  }

  /** The table at the end: what, value, whether that is good (undefined: only a number). */
  table(rows: readonly (readonly [string, string, boolean | undefined])[]): void {
    const width = Math.max(...rows.map(([name]) => name.length))
    console.log('')
    for (const [name, value, good] of rows) {
      const shown = good === undefined ? value : this.paint(good ? 'green' : 'red', value)
      console.log(`  ${name.padEnd(width)}  ${shown}`)
    }
  }

  paint(colour: Colour, text: string): string {
    return this.#coloured ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text
  }
}
