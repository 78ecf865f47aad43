/**
 * Clients of a database: some workers commit rows, one after the other, and repeat each until it is committed. Each has a program of its
 * own that reads statements from its input, and is replaced when it does not answer in time.
 * Usage: sql.js RECORD_FILE WORKERS PAUSE_MS STATEMENT PROGRAM ARGUMENT...
 *
 * STATEMENT holds `:id` wherever the row's id belongs, and prints a line `ID NODE` when the row is committed.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { recorder, stopOnTerm } from './record.js'

const answerMsMax = 1_000
/**
 * Doubled with each failure in a row: a session begins with a program and a login, and on a machine so busy that this takes longer
 * than a second nobody would ever be answered again.
 */
const doublingsMax = 3
const retryPauseMs = 50

const [file = '', workers = '4', pause = '5', statement = '', program = '', ...programArguments] =
  process.argv.slice(2)
const record = recorder(file)
const stopping = stopOnTerm()

/** One program that lives as long as it answers in time. */
class Session {
  readonly #program: ChildProcessByStdio<Writable, Readable, null>
  #asked: { readonly id: string; readonly answer: (node: string | undefined) => void } | undefined
  #text = ''

  constructor() {
    this.#program = spawn(program, programArguments, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#program.stdout.setEncoding('utf8')
    this.#program.stdout.on('data', (part: string) => {
      const lines = (this.#text + part).split('\n')
      this.#text = lines.pop() ?? ''
      for (const line of lines) this.#read(line)
    })
    // A program that ended closes its input: the row is not acknowledged, and "exit" says the rest.
    this.#program.stdin.on('error', () => undefined)
    this.#program.on('exit', () => {
      this.end()
    })
  }

  /** The node that committed the row; undefined: nobody knows whether it is committed. */
  commit(id: string, timeoutMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.end()
      }, timeoutMs)
      this.#asked = {
        id,
        answer: (node) => {
          clearTimeout(timer)
          resolve(node)
        },
      }
      this.#program.stdin.write(`${statement.replaceAll(':id', id)}\n`)
    })
  }

  end(): void {
    this.#program.kill('SIGKILL')
    this.#give(undefined)
  }

  /** Some programs print headings and empty lines too. */
  #read(line: string): void {
    const [id, node] = line.trim().split(/\s+/)
    if (id === this.#asked?.id && node !== undefined) this.#give(node)
  }

  #give(node: string | undefined): void {
    const asked = this.#asked
    this.#asked = undefined
    asked?.answer(node)
  }
}

async function work(worker: number): Promise<void> {
  let session = new Session()
  for (let count = 1; !stopping(); count++) {
    const id = `w${worker}-${count}`
    let node = await session.commit(id, answerMsMax)
    for (let failures = 1; node === undefined && !stopping(); failures++) {
      session.end()
      await delay(retryPauseMs)
      session = new Session()
      node = await session.commit(id, answerMsMax * 2 ** Math.min(failures, doublingsMax))
    }
    if (node !== undefined) record({ id, node })
    await delay(Number(pause))
  }
  session.end()
}

await Promise.all(Array.from({ length: Number(workers) }, (_, worker) => work(worker)))
