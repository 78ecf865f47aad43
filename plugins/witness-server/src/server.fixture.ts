/** Witness processes of a test: started on free ports, killed by their pid, started again on the same state. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import type { Log } from '@holdfast/sdk'
import { freePort, kill } from '@holdfast/sdk/testing'
import { ServerWitness } from './witness.js'

const program = fileURLToPath(new URL('./server/main.js', import.meta.url))
const patienceMs = 20_000
export const silent: Log = { write: () => undefined }

export class RunningWitness {
  readonly directory: string
  readonly port: number
  #process: ChildProcess | undefined

  private constructor(directory: string, port: number) {
    this.directory = directory
    this.port = port
  }

  /** Serves already, and ends with the test. */
  static async start(t: ExecutionContext): Promise<RunningWitness> {
    const directory = await mkdtemp(join(tmpdir(), 'witness-'))
    const running = new RunningWitness(directory, await freePort())
    t.teardown(async () => {
      await running.kill()
      await rm(directory, { recursive: true, force: true })
    })
    await running.serve()
    return running
  }

  async serve(): Promise<void> {
    const address = `127.0.0.1:${String(this.port)}`
    const args = [program, 'serve', '--state', this.state, '--listen', address]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    let said = ''
    await new Promise<void>((listening, failed) => {
      // Read to its end: a reader that goes away would be one more fault.
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('"listening"')) listening()
      })
      child.once('exit', () => failed(new Error(`the witness ended: ${said}`)))
    })
  }

  /** SIGKILL: nothing can be tidied up. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    await kill(child)
  }

  /** Runs a command of the operator and returns what it prints. */
  async order(...words: string[]): Promise<string> {
    const args = [program, ...words, '--state', this.state]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: patienceMs })
    return stdout.trim()
  }

  get state(): string {
    return join(this.directory, 'state')
  }

  /** Adds a cluster and returns the file with its token. */
  async keyFor(cluster: string): Promise<string> {
    const file = join(this.directory, `${cluster}.key`)
    await writeFile(file, `${await this.order('add', cluster)}\n`, { mode: 0o600 })
    return file
  }

  server(keyfile: string): { addr: string; keyfile: string } {
    return { addr: `127.0.0.1:${String(this.port)}`, keyfile }
  }
}

/** What the plugin on `node` asks with. */
export function asked(
  node: string,
  ...servers: { addr: string; keyfile: string }[]
): (generation: number, module?: string) => Promise<string> {
  const witness = new ServerWitness(servers, { log: silent, node })
  return (generation, module = 'ledger') =>
    witness.claim(module, generation, AbortSignal.timeout(5_000))
}
