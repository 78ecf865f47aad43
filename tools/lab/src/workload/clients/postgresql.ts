/**
 * PostgreSQL's clients: some workers commit transactions through the virtual IP, one after the other, and repeat each until it is
 * committed. Each has a psql of its own, which is replaced when it does not answer in time.
 * Usage: postgresql.js HOST PORT RECORD_FILE WORKERS PAUSE_MS, password in PGPASSWORD.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answered, recorder, stopOnTerm } from './record.js'

const answerMsMax = 1_000
const retryPauseMs = 50

const [host = '', port = '', file = '', workers = '4', pause = '5'] = process.argv.slice(2)
const record = recorder(file)
const stopping = stopOnTerm()

/** One psql that lives as long as it answers in time. */
class Session {
  readonly #psql: ChildProcessByStdio<Writable, Readable, null>
  #answer: ((line: string | undefined) => void) | undefined
  #text = ''
  open = true

  constructor() {
    const flags = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1']
    const where = [`--host=${host}`, `--port=${port}`, '--username=demo', '--dbname=demo']
    this.#psql = spawn('psql', [...flags, ...where], { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#psql.stdout.setEncoding('utf8')
    this.#psql.stdout.on('data', (part: string) => {
      this.#text += part
      const end = this.#text.indexOf('\n')
      if (end < 0) return
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 1)
      this.#give(line)
    })
    // A psql that ended closes its input: the entry is not acknowledged, and "exit" says the rest.
    this.#psql.stdin.on('error', () => undefined)
    this.#psql.on('exit', () => {
      this.end()
    })
  }

  ask(statement: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.end()
      }, answerMsMax)
      this.#answer = (line) => {
        clearTimeout(timer)
        resolve(line)
      }
      this.#psql.stdin.write(`${statement}\n`)
    })
  }

  end(): void {
    this.open = false
    this.#psql.kill('SIGKILL')
    this.#give(undefined)
  }

  #give(line: string | undefined): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.(line)
  }
}

/** The row is committed when psql prints it: each statement is a transaction of its own. A repeated id changes nothing. */
function insert(id: string): string {
  return (
    `INSERT INTO entries (id) VALUES ('${id}') ON CONFLICT (id) DO UPDATE SET id = excluded.id ` +
    `RETURNING id || ' ' || current_setting('cluster_name');`
  )
}

async function commit(session: Session, id: string): Promise<Answered | undefined> {
  const [answered, node] = (await session.ask(insert(id)))?.split(' ') ?? []
  return answered === id && node !== undefined ? { id, node } : undefined
}

async function work(worker: number): Promise<void> {
  let session = new Session()
  for (let count = 1; !stopping(); count++) {
    const id = `w${worker}-${count}`
    let answered = await commit(session, id)
    while (answered === undefined && !stopping()) {
      session.end()
      await delay(retryPauseMs)
      session = new Session()
      answered = await commit(session, id)
    }
    if (answered !== undefined) record(answered)
    await delay(Number(pause))
  }
  session.end()
}

await Promise.all(Array.from({ length: Number(workers) }, (_, worker) => work(worker)))
