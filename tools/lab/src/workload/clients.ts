/** The clients of an application as they run in a lab: started, watched by what they were promised, ended. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../host.js'
import { until } from '../wait.js'
import { AcknowledgedFile } from './acknowledged.js'
import type { Application, Load } from './application.js'

export class Clients {
  readonly record: AcknowledgedFile
  readonly #host: Host
  readonly #application: Application
  readonly #path: string

  readonly #load: Load | undefined

  constructor(host: Host, application: Application, load?: Load) {
    this.#load = load
    this.#host = host
    this.#application = application
    this.#path = join(host.directory, 'acknowledged.jsonl')
    this.record = new AcknowledgedFile(this.#path)
  }

  /** Returns when the first answer came. */
  async start(): Promise<void> {
    await this.#application.startClients(this.#host, this.#path, this.#load)
    await this.record.more(1, 15_000)
  }

  /** Each worker ends what it began, so that nothing is on its way afterwards. */
  async stop(): Promise<void> {
    const pid = (await readFile(`${this.#path}.pid`, 'utf8')).trim()
    await this.#host.mustRun(['kill', '-TERM', pid])
    await until(
      'the clients end',
      async () => ((await this.#host.run(['kill', '-0', pid])).code === 0 ? undefined : true),
      { timeoutMs: 60_000 },
    )
    await this.record.read()
  }
}
