/** Where text goes, and whether it may have colours. */
import type { HoldfastError } from '@holdfast/sdk'
import { printable, wrap } from './format.js'
import { inLocalTime, withInstants } from './times.js'

export type Colour = 'red' | 'green' | 'orange' | 'grey' | 'bold'

const codes: Readonly<Record<Colour, string>> = {
  red: '31',
  green: '32',
  orange: '33',
  grey: '90',
  bold: '1',
}

interface Out {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export class Terminal {
  /** Somebody looks at it: lines may be rewritten, and must not be longer than the screen. */
  readonly isInteractive: boolean
  readonly #out: Out
  readonly #err: Out
  readonly #hasColours: boolean
  #statusShown = false

  constructor(out: Out, err: Out, environment: Readonly<Record<string, string | undefined>>) {
    this.#out = out
    this.#err = err
    this.isInteractive = out.isTTY === true
    const refused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb'
    this.#hasColours = this.isInteractive && !refused
  }

  /** Columns of the screen; very wide when nobody looks, so that nothing is cut in a file. */
  get width(): number {
    return this.isInteractive ? Math.max(this.#out.columns ?? 80, 40) : 10_000
  }

  out(line: string): void {
    this.#clearStatus()
    this.#out.write(`${inLocalTime(line)}\n`)
  }

  err(line: string): void {
    this.#clearStatus()
    this.#err.write(`${inLocalTime(line)}\n`)
  }

  /** For programs: nothing is cut, and times are those of nobody's zone. */
  json(value: unknown, form: 'block' | 'line' = 'block'): void {
    const text = JSON.stringify(withInstants(value), undefined, form === 'block' ? 2 : undefined)
    this.#out.write(`${text}\n`)
  }

  /** A line that the next one replaces; nothing at all when nobody looks. */
  status(line: string): void {
    if (!this.isInteractive) return
    this.#out.write(`\r${line.slice(0, this.width - 1)}\u001b[K`)
    this.#statusShown = true
  }

  /** One line what is wrong (a line for each problem of a file), one line what to do next. */
  failure(error: HoldfastError): void {
    const [first = '', ...others] = error.message.split('\n').map(printable)
    this.sentence(`${first}  [${error.code}]`, this.colour('red', 'holdfast:'), 'holdfast:'.length)
    for (const line of others) this.sentence(line, ' ')
    if (error.hint !== undefined) this.sentence(`next: ${printable(error.hint)}`, ' ')
  }

  warning(text: string): void {
    this.sentence(printable(text), this.colour('orange', 'warning:'), 'warning:'.length)
  }

  /** To whoever reads errors, cut between words where a screen ends. `columns`: of the head, when it has colours. */
  sentence(text: string, head = '', columns = head.length): void {
    const room = this.#err.isTTY === true ? (this.#err.columns ?? 80) : Number.POSITIVE_INFINITY
    const begin = head === '' ? '' : `${head} `
    const [first = '', ...others] = wrap(text, room - columns - 1)
    this.err(`${begin}${first}`)
    for (const line of others) this.err(`    ${line}`)
  }

  colour(colour: Colour, text: string): string {
    return this.#hasColours ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text
  }

  #clearStatus(): void {
    if (this.#statusShown) this.#out.write('\r\u001b[K')
    this.#statusShown = false
  }
}
