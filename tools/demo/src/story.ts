/** The demo's story, step by step: form a cluster, fail over, fail back, swap, and measure each. */
import {
  type Acknowledged,
  type Application,
  Clients,
  differences,
  type Entries,
  evidenceDirectory,
  formCluster,
  type Host,
  type Lab,
  moduleSources,
  monotonicMs,
  Product,
  replicaOf,
  type Runner,
  runnersOn,
  virtualIp,
} from '@holdfast/lab'
import type { Terminal } from './terminal.js'
import { StateWatch } from './watch.js'

/** Files that are there from the start: a first copy has something to do, a resynchronisation leaves them alone. */
const archiveFiles = 16
const archiveFileBytes = 1024 * 1024
/** How long data that settles by itself (a database's own writers) may take to be equal. */
const settleMsMax = 15_000

export type States = Readonly<Record<string, string>>

/** Everything that the judgement needs. */
export interface Evidence {
  readonly acknowledged: readonly Acknowledged[]
  readonly copies: readonly Entries[]
  readonly runners: readonly Runner[]
  readonly failoverMs: number
  readonly failbackMs: number
  readonly swapMs: number
  readonly resyncBytes: number
  readonly replicasIdentical: boolean
  readonly differences: string
  readonly check: { readonly name: string; readonly clean: boolean } | undefined
  readonly states: Readonly<Record<string, States>>
}

export class Story {
  readonly #lab: Lab
  readonly #app: Application
  readonly #terminal: Terminal
  readonly #n1: Product
  readonly #n2: Product
  readonly #client: Host
  readonly #clients: Clients
  readonly #watch: StateWatch
  readonly #states: Record<string, States> = {}

  constructor(lab: Lab, app: Application, terminal: Terminal) {
    this.#lab = lab
    this.#app = app
    this.#terminal = terminal
    this.#n1 = new Product(lab.host('n1'))
    this.#n2 = new Product(lab.host('n2'))
    this.#client = lab.host('c1')
    this.#clients = new Clients(this.#client, app)
    this.#watch = new StateWatch([this.#n1, this.#n2], app.name, terminal)
  }

  async tell(timeout: string): Promise<Evidence> {
    await this.#formCluster()
    await this.#installModule(timeout)
    this.#watch.start()
    await this.#firstStart()
    const failoverMs = await this.#powerOff()
    const { failbackMs, resyncBytes } = await this.#failBack()
    const swapMs = await this.#swap()
    const data = await this.#collect()
    return { failoverMs, failbackMs, swapMs, resyncBytes, ...data, states: this.#states }
  }

  /** The story is over, whatever its end. */
  async end(): Promise<void> {
    await this.#watch.end()
  }

  /** Stops the module on both nodes as an operator would: the secondary first. */
  async stop(): Promise<void> {
    this.#terminal.step('Stop', 'a clean stop, the secondary first')
    for (const node of [this.#n2, this.#n1]) {
      await this.#command(node, 'stop')
      await node.waitForState(this.#app.name, ['STOP NotReady'], 20_000)
    }
    await this.#noteStates('stopped')
  }

  async #formCluster(): Promise<void> {
    this.#terminal.step('Cluster', 'two nodes get to know each other with a one-time token')
    await Promise.all([this.#n1.start(), this.#n2.start()])
    this.#terminal.event('holdfastd runs on n1 and n2')
    await formCluster(this.#lab.spec, [this.#n1, this.#n2], (node, command) => {
      this.#terminal.command(node, command)
    })
    this.#terminal.event('n1 and n2 are one cluster')
  }

  async #installModule(timeout: string): Promise<void> {
    const { name, directory } = this.#app
    this.#terminal.step('Module', `${name}: its configuration and scripts, on both nodes`)
    for (const node of [this.#n1, this.#n2]) await node.host.mustRun(['mkdir', '-p', directory])
    await this.#makeArchive()
    const sources = await moduleSources(this.#lab, name, {
      DIRECTORY: directory,
      VIRTUAL_IP: virtualIp,
      HEART_TIMEOUT: timeout,
      // There is no witness here, and the story is one of a power cut.
      ISOLATION: 'alone',
      EVIDENCE: evidenceDirectory,
    })
    const chosen = `--param VIRTUAL_IP=${virtualIp} --param ISOLATION=alone`
    this.#terminal.command('n1', `holdfast module install ${name} ${chosen}`)
    await this.#n1.mustRun(['module', 'install', name, sources])
    this.#terminal.command('n1', `holdfast module config ${name}`)
    await this.#n1.mustRun(['module', 'config', name])
  }

  async #firstStart(): Promise<void> {
    const { name } = this.#app
    this.#terminal.step('First start', 'n1 has the good data, n2 copies it while clients write')
    await this.#command(this.#n1, 'prim')
    await this.#n1.waitForState(name, ['ALONE Ready'], 40_000)
    await this.#app.prepare(this.#n1.host)
    await this.#clients.start()
    this.#terminal.event(`clients write through ${virtualIp}`)
    await this.#command(this.#n2, 'start')
    await this.#n2.waitForState(name, ['SECOND Ready'], 40_000)
    await this.#n1.waitForState(name, ['PRIM Ready'], 5_000)
    await this.#clients.record.more(200, 10_000)
    await this.#noteStates('started')
  }

  async #powerOff(): Promise<number> {
    const { name } = this.#app
    this.#terminal.step(
      'Power cut',
      'n1 loses its power in the middle of writes, without a goodbye',
    )
    const cutMs = await this.#n1.host.powerOff()
    this.#terminal.event(this.#terminal.paint('red', 'n1 is off'))
    const first = await this.#clients.record.firstBy('n2', cutMs, 60_000)
    const failoverMs = Math.round(first.answeredMs - cutMs)
    this.#terminal.event(`a client has an answer from n2, ${failoverMs} ms after the cut`)
    await this.#n2.waitForState(name, ['ALONE Ready'], 10_000)
    await this.#clients.record.more(200, 10_000)
    await this.#noteStates('failedOver')
    return failoverMs
  }

  async #failBack(): Promise<{ failbackMs: number; resyncBytes: number }> {
    const { name } = this.#app
    this.#terminal.step('Repair', 'n1 comes back and copies what changed, the application runs on')
    this.#watch.copiedBytes = 0
    const onMs = monotonicMs()
    await this.#n1.host.powerOn()
    await this.#n1.start()
    await this.#n1.waitForState(name, ['STOP NotReady'], 15_000)
    await this.#command(this.#n1, 'start')
    await this.#n1.waitForState(name, ['SECOND Ready'], 60_000)
    const failbackMs = Math.round(monotonicMs() - onMs)
    await this.#n2.waitForState(name, ['PRIM Ready'], 5_000)
    const resyncBytes = await this.#copiedBytes()
    this.#terminal.event(
      `n1 is a secondary again after ${failbackMs} ms, ${resyncBytes} bytes copied`,
    )
    await this.#clients.record.more(200, 10_000)
    await this.#noteStates('failedBack')
    return { failbackMs, resyncBytes }
  }

  /** Bytes of content that n2 sent; while its data plane does not count them, those that it compared. */
  async #copiedBytes(): Promise<number> {
    const done = await this.#n2.lastEvent(this.#app.name, 'copyDone')
    const bytes = done?.['contentBytes']
    return typeof bytes === 'number' ? bytes : this.#watch.copiedBytes
  }

  async #swap(): Promise<number> {
    const { name } = this.#app
    this.#terminal.step('Swap', 'the operator moves the application back to n1')
    const orderMs = monotonicMs()
    const [first] = await Promise.all([
      this.#clients.record.firstBy('n1', orderMs, 30_000),
      this.#command(this.#n2, 'swap'),
    ])
    const swapMs = Math.round(first.answeredMs - orderMs)
    this.#terminal.event(`a client has an answer from n1, ${swapMs} ms after the order`)
    await this.#n1.waitForState(name, ['PRIM Ready'], 20_000)
    await this.#n2.waitForState(name, ['SECOND Ready'], 20_000)
    await this.#clients.record.more(200, 10_000)
    await this.#noteStates('swapped')
    return swapMs
  }

  async #collect() {
    this.#terminal.step('Judgement', 'every acknowledged entry, both replicas byte by byte')
    await this.#clients.stop()
    const entries = await this.#app.entries(this.#client)
    this.#terminal.event(
      `${this.#clients.record.all.length} acknowledged, ${entries.size} in the application`,
    )
    const check = await this.#app.check(this.#n1.host)
    const hosts = [this.#n1.host, this.#n2.host]
    const differing = await differences(
      hosts.map((host) => replicaOf(host, this.#app)),
      { timeoutMs: settleMsMax, settle: () => this.#app.settle(this.#n1.host) },
    )
    return {
      acknowledged: this.#clients.record.all,
      copies: [entries, ...(await this.#copiesOnDisk())],
      runners: await runnersOn(hosts),
      replicasIdentical: differing === '',
      differences: differing,
      check,
    }
  }

  /** What each replica's own files say; a database is only asked, its files are compared as they are. */
  async #copiesOnDisk(): Promise<readonly Entries[]> {
    const copies: Entries[] = []
    for (const node of [this.#n1, this.#n2]) {
      const copy = await this.#app.readFiles(replicaOf(node.host, this.#app))
      if (copy !== undefined) copies.push(copy)
    }
    return copies
  }

  async #makeArchive(): Promise<void> {
    const make = `mkdir -p archive && for i in $(seq ${archiveFiles}); do
      head -c ${archiveFileBytes} /dev/urandom >archive/$i; done`
    await this.#n1.host.mustRun(['sh', '-c', `cd ${this.#app.directory} && ${make}`])
  }

  async #command(node: Product, command: string): Promise<void> {
    this.#terminal.command(node.host.name, `holdfast ${command} -m ${this.#app.name}`)
    await node.mustRun([command, '-m', this.#app.name], { timeoutMs: 60_000 })
  }

  async #noteStates(moment: string): Promise<void> {
    const states: Record<string, string> = {}
    for (const node of [this.#n1, this.#n2]) {
      states[node.host.name] = await node.state(this.#app.name)
    }
    this.#states[moment] = states
  }
}
