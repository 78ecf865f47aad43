/** What the rounds of one seed have shown so far, in a file of lines of JSON: a long campaign is played in several pieces. */
import { appendFile, readFile, truncate } from 'node:fs/promises'
import { LabError } from '@holdfast/lab'
import type { RoundResult } from './report.js'

/** The first line: results of other conditions don't add up with these. */
export interface Head {
  readonly seed: number
  readonly app: string
  /** As the operator writes them: time-out and watchdog. */
  readonly times: string
  readonly kinds: string
}

/** A round, or what was seen at the end of a piece. */
type Line = { readonly result: RoundResult } | { readonly replicasDiffer: boolean }

export interface Past {
  readonly head: Head
  readonly results: readonly RoundResult[]
  readonly replicasDiffer: boolean
}

export class History {
  readonly #file: string | undefined
  readonly #results: RoundResult[]
  #replicasDiffer: boolean

  private constructor(file: string | undefined, past: Omit<Past, 'head'>) {
    this.#file = file
    this.#results = [...past.results]
    this.#replicasDiffer = past.replicasDiffer
  }

  /** Without a file it ends with this process. One that was begun with other conditions is refused. */
  static async open(file: string | undefined, head: Head): Promise<History> {
    if (file === undefined) return new History(undefined, { results: [], replicasDiffer: false })
    const text = wholeLines(await textOf(file))
    const past = pastOf(text)
    if (past === undefined) {
      await appendFile(file, lineOf(head))
      return new History(file, { results: [], replicasDiffer: false })
    }
    const other = differenceOf(past.head, head)
    if (other !== undefined) throw new LabError(`--resume ${file}: ${other}`)
    await truncate(file, Buffer.byteLength(text))
    return new History(file, past)
  }

  get results(): readonly RoundResult[] {
    return this.#results
  }

  get replicasDiffer(): boolean {
    return this.#replicasDiffer
  }

  /** The round that comes next, at least `from`. */
  next(from: number): number {
    return Math.max(from, (this.#results.at(-1)?.number ?? 0) + 1)
  }

  async add(result: RoundResult): Promise<void> {
    this.#results.push(result)
    await this.#write({ result })
  }

  async endOfPiece(replicasDiffer: boolean): Promise<void> {
    this.#replicasDiffer ||= replicasDiffer
    await this.#write({ replicasDiffer })
  }

  async #write(line: Line): Promise<void> {
    if (this.#file !== undefined) await appendFile(this.#file, lineOf(line))
  }
}

/** The seed that a file was begun with; undefined: there is no such file yet, or nothing in it. */
export async function seedIn(file: string): Promise<number | undefined> {
  return pastOf(wholeLines(await textOf(file)))?.head.seed
}

export function pastOf(text: string): Past | undefined {
  const [first, ...rest] = text.split('\n').slice(0, -1)
  if (first === undefined) return undefined
  // Only this file writes these lines, the head first.
  const head = JSON.parse(first) as Head
  // As before.
  const lines = rest.map((line) => JSON.parse(line) as Line)
  return {
    head,
    results: lines.flatMap((line) => ('result' in line ? [line.result] : [])),
    replicasDiffer: lines.some((line) => 'replicasDiffer' in line && line.replicasDiffer),
  }
}

/** What follows the last end of a line was cut off with the process that wrote it: that round is played again. */
export function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    // Whatever node:fs throws is an ErrnoException.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function differenceOf(past: Head, now: Head): string | undefined {
  const names = ['seed', 'app', 'times', 'kinds'] as const
  const name = names.find((candidate) => past[candidate] !== now[candidate])
  if (name === undefined) return undefined
  return `it was begun with ${name} ${String(past[name])}, this is ${String(now[name])}; give the same, or another file`
}

function lineOf(value: Head | Line): string {
  return `${JSON.stringify(value)}\n`
}
