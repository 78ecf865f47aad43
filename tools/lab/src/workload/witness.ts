/** A real `holdfast-witness` on a host of the lab: the third machine. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Host } from '../host.js'
import { signal } from '../processes.js'
import { until } from '../wait.js'

const program = fileURLToPath(
  new URL('../../../../plugins/witness-server/dist/server/main.js', import.meta.url),
)
const patienceMs = 60_000
const port = 4803

export class WitnessServer {
  readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  /** Its state is in the lab, but in no place that a host covers with its own: the order line is used from outside too. */
  get #state(): string {
    return join(this.host.directory, 'witness', 'state')
  }

  /** Makes the cluster's secret; returns the file in which it is, for `/etc/holdfast/witness.key` of the nodes. */
  async addCluster(name: string): Promise<string> {
    await mkdir(join(this.host.directory, 'witness'), { recursive: true })
    const token = join(this.host.directory, 'witness', 'token')
    await writeFile(token, await this.#order('add', name), { mode: 0o600 })
    return token
  }

  /** Returns when it listens. */
  async start(): Promise<void> {
    const serve = [process.execPath, program, 'serve', '--state', this.#state]
    await this.host.start(serve, { log: 'witness' })
    await until(
      `the witness listens (see ${this.host.logFile('witness')})`,
      async () => {
        const { stdout } = await this.host.run(['ss', '-Hltn', `sport = :${String(port)}`])
        return stdout.trim() === '' ? undefined : true
      },
      { timeoutMs: patienceMs },
    )
  }

  /** SIGKILL; nothing happens when it does not run. */
  async kill(): Promise<void> {
    for (const pid of await this.#processes()) signal(pid, 'SIGKILL')
    await until(
      'the witness is dead',
      async () => ((await this.#processes()).length === 0 ? true : undefined),
      { timeoutMs: patienceMs },
    )
  }

  async runs(): Promise<boolean> {
    return (await this.#processes()).length > 0
  }

  /** The element of `userconfig.xml` that names it. */
  get element(): string {
    return `<witness><server addr="${this.host.cables[0]?.ipv4 ?? ''}"/></witness>`
  }

  /** What it granted last: `1:n1`; undefined: nothing yet. */
  async newest(): Promise<string | undefined> {
    return /^ {2}\S+ (\S+)$/m.exec(await this.#order('list'))?.[1]
  }

  #processes(): Promise<readonly number[]> {
    return this.host.processes(/witness-server\/dist\/server\/main\.js serve/)
  }

  async #order(...words: string[]): Promise<string> {
    const args = [program, ...words, '--state', this.#state]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: patienceMs })
    return stdout
  }
}
