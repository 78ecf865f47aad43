/** Two real daemons and a client in a lab, with an application that they make highly available, and what is done to them. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../command.js'
import { Lab, type LabOptions } from '../lab.js'
import { formCluster, Product } from '../product.js'
import { monotonicMs } from '../wait.js'
import { type Application, ledger, type Load, virtualIp } from './application.js'
import { Clients } from './clients.js'
import { evidenceDirectory, runnersOn } from './evidence.js'
import { Installation } from './installation.js'
import type { Runner } from './judge.js'
import { moduleSources } from './sources.js'

/** Long enough for a loaded machine, short enough to end. */
export const patienceMs = 60_000

export interface PairOptions {
  /** `<heart timeout>` of the module; short, so that tests of failures are quick. */
  readonly timeout?: string
  /** What a node does when it can't tell a dead node from a cut cable. Default: alone. */
  readonly isolation?: 'alone' | 'wait'
  /** False: the cluster is formed, but no module is installed. */
  readonly module?: boolean
  readonly lans?: readonly string[]
  /** Default: the ledger. */
  readonly application?: Application
  readonly load?: Load
  readonly lab?: LabOptions
  /** Changes the module's userconfig.xml before it is installed. */
  readonly edit?: (xml: string) => string
  /** Changes scripts before they are installed: name and new text. */
  readonly scripts?: Readonly<Record<string, string>>
  /** A shell command that each node runs before the module is configured. */
  readonly prepare?: string
  /** Added to the environment of the daemons, whenever they are started. */
  readonly daemonEnvironment?: Readonly<Record<string, string>>
  /** Each node runs from an installation of its own, which can be upgraded, instead of from this tree. */
  readonly installed?: boolean
}

export class Pair {
  readonly lab: Lab
  readonly application: Application
  readonly n1: Product
  readonly n2: Product
  readonly clients: Clients
  readonly #daemonEnvironment: Readonly<Record<string, string>>
  readonly #installations = new Map<Product, Installation>()

  constructor(lab: Lab, options: PairOptions = {}) {
    this.lab = lab
    this.application = options.application ?? ledger
    this.n1 = new Product(lab.host('n1'))
    this.n2 = new Product(lab.host('n2'))
    this.clients = new Clients(lab.host('c1'), this.application, options.load)
    this.#daemonEnvironment = options.daemonEnvironment ?? {}
  }

  get nodes(): readonly [Product, Product] {
    return [this.n1, this.n2]
  }

  /** Makes the lab of a pair. */
  static lab(options: PairOptions): Promise<Lab> {
    return Lab.create({
      ...(options.lans === undefined ? {} : { lans: options.lans }),
      ...options.lab,
    })
  }

  /** A cluster of two nodes with the application's module installed and configured, not started. A failure removes the lab. */
  async form(options: PairOptions = {}): Promise<void> {
    try {
      if (options.installed === true) await this.#makeInstallations()
      await Promise.all(this.nodes.map((node) => this.#startDaemon(node)))
      await formCluster(this.lab.spec, this.nodes)
      if (options.module !== false) await this.install(options)
    } catch (error) {
      await this.end()
      throw error
    }
  }

  async #makeInstallations(): Promise<void> {
    for (const node of this.nodes) {
      const directory = join(node.host.directory, 'installation')
      this.#installations.set(node, await Installation.make(directory))
    }
  }

  #startDaemon(node: Product): Promise<void> {
    return node.start(this.#daemonEnvironment, this.#installations.get(node)?.daemon)
  }

  /** Of a pair that was formed with `installed`. */
  installation(node: Product): Installation {
    const installation = this.#installations.get(node)
    if (installation === undefined) throw new LabError(`${node.host.name} has no installation`)
    return installation
  }

  /** n1 is PRIM, n2 is SECOND, both Ready, and clients write through the virtual IP. */
  async serves(): Promise<void> {
    await this.order(this.n1, 'prim')
    await this.is(this.n1, 'ALONE Ready')
    await this.application.prepare(this.n1.host)
    await this.clients.start()
    await this.order(this.n2, 'start')
    await this.is(this.n2, 'SECOND Ready')
    await this.is(this.n1, 'PRIM Ready')
    await this.clientsGoOn()
  }

  /** Gives a command without waiting for the state that it leads to. */
  async order(node: Product, command: string): Promise<void> {
    await node.mustRun([command, '-m', this.application.name, '--no-wait'])
  }

  /** A node that was off is switched on, and its daemon started. */
  async switchOn(node: Product): Promise<void> {
    await node.host.powerOn()
    await this.#startDaemon(node)
  }

  /** A node that was off is switched on, and the operator starts its module. */
  async comesBack(node: Product): Promise<void> {
    await this.switchOn(node)
    await this.is(node, 'STOP NotReady')
    await this.order(node, 'start')
  }

  async is(node: Product, ...states: readonly string[]): Promise<string> {
    return node.waitForState(this.application.name, states, patienceMs)
  }

  async clientsGoOn(): Promise<void> {
    await this.clients.record.more(50, patienceMs)
  }

  /** Milliseconds from `sinceMs` to the first answer that `node` gave after it. */
  async answeredBy(node: Product, sinceMs: number): Promise<number> {
    const first = await this.clients.record.firstBy(node.host.name, sinceMs, patienceMs)
    return first.answeredMs - sinceMs
  }

  /** The longest time without any answer, from `sinceMs` to now. */
  async longestSilenceMs(sinceMs: number): Promise<number> {
    await this.clients.record.read()
    const times = this.clients.record.all
      .map((entry) => entry.answeredMs)
      .filter((answeredMs) => answeredMs >= sinceMs)
    const moments = [sinceMs, ...times, monotonicMs()]
    return Math.max(...moments.slice(1).map((moment, index) => moment - (moments[index] ?? moment)))
  }

  /** Every run of the application on any node. */
  runners(): Promise<readonly Runner[]> {
    return runnersOn(this.nodes.map((node) => node.host))
  }

  /** Nothing goes from either node to the other on these LANs, from one instant on; clients still reach both. */
  async separate(...lans: readonly string[]): Promise<void> {
    const losses = lans.flatMap((lan) => [
      { from: 'n1', to: 'n2', lan, percent: 100 },
      { from: 'n2', to: 'n1', lan, percent: 100 },
    ])
    await this.lab.network.lose(...losses)
  }

  async end(): Promise<void> {
    await this.lab.remove()
  }

  /** Installs and configures the application's module; for a pair that was formed without one. */
  async install(options: PairOptions = {}): Promise<void> {
    const { name, directory } = this.application
    for (const node of this.nodes) {
      await node.host.mustRun(['mkdir', '-p', directory])
      if (options.prepare !== undefined) await node.host.mustRun(['sh', '-c', options.prepare])
    }
    const sources = await moduleSources(this.lab, name, {
      DIRECTORY: directory,
      VIRTUAL_IP: virtualIp,
      HEART_TIMEOUT: options.timeout ?? '1000ms',
      ISOLATION: options.isolation ?? 'alone',
      EVIDENCE: evidenceDirectory,
    })
    if (options.edit !== undefined) {
      const file = join(sources, 'conf', 'userconfig.xml')
      await writeFile(file, options.edit(await readFile(file, 'utf8')))
    }
    for (const [script, text] of Object.entries(options.scripts ?? {})) {
      await writeFile(join(sources, 'bin', script), text)
    }
    await this.n1.mustRun(['module', 'install', name, sources])
    await this.n1.mustRun(['module', 'config', name])
  }
}
