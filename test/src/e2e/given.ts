/** The verbs of the end to end tests: two real daemons and a client in a lab, and what is done to them. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import {
  Clients,
  duplicatedRunners,
  formCluster,
  Lab,
  ledger,
  lostEntries,
  moduleSources,
  monotonicMs,
  Product,
  runCommand,
  type Runner,
  runnersOf,
  virtualIp,
} from '@holdfast/lab'

const compareProgram = fileURLToPath(
  new URL('../../../plugins/rfs/dist/verify/main.js', import.meta.url),
)
/** Long enough for a loaded machine, short enough to end. */
export const patienceMs = 30_000

export interface PairOptions {
  /** `<heart timeout>` of the module; short, so that tests of failures are quick. */
  readonly timeout?: string
  /** False: the cluster is formed, but no module is installed. */
  readonly module?: boolean
  readonly lans?: readonly string[]
  /** Changes the module's userconfig.xml before it is installed. */
  readonly edit?: (xml: string) => string
  /** Changes scripts before they are installed: name and new text. */
  readonly scripts?: Readonly<Record<string, string>>
  /** A shell command that each node runs before the module is configured. */
  readonly prepare?: string
}

export class Pair {
  readonly lab: Lab
  readonly n1: Product
  readonly n2: Product
  readonly clients: Clients

  private constructor(lab: Lab) {
    this.lab = lab
    this.n1 = new Product(lab.host('n1'))
    this.n2 = new Product(lab.host('n2'))
    this.clients = new Clients(lab.host('c1'), ledger)
  }

  /** A cluster of two nodes with the ledger installed and configured, not started. */
  static async formed(options: PairOptions = {}): Promise<Pair> {
    const lab = await Lab.create(options.lans === undefined ? {} : { lans: options.lans })
    const pair = new Pair(lab)
    try {
      await Promise.all([pair.n1.start(), pair.n2.start()])
      await formCluster(lab.spec, [pair.n1, pair.n2])
      if (options.module !== false) await pair.#configure(options)
      return pair
    } catch (error) {
      await pair.end()
      throw error
    }
  }

  /** n1 is PRIM, n2 is SECOND, both Ready, and clients write through the virtual IP. */
  async serves(): Promise<void> {
    await this.order(this.n1, 'prim')
    await this.is(this.n1, 'ALONE Ready')
    await this.clients.start()
    await this.order(this.n2, 'start')
    await this.is(this.n2, 'SECOND Ready')
    await this.is(this.n1, 'PRIM Ready')
    await this.clientsGoOn()
  }

  /** Gives a command without waiting for the state that it leads to. */
  async order(node: Product, command: string): Promise<void> {
    await node.mustRun([command, '-m', ledger.name, '--no-wait'])
  }

  /** A node that was off is switched on, and the operator starts its module. */
  async comesBack(node: Product): Promise<void> {
    await node.host.powerOn()
    await node.start()
    await this.is(node, 'STOP NotReady')
    await this.order(node, 'start')
  }

  async is(node: Product, ...states: readonly string[]): Promise<string> {
    return node.waitForState(ledger.name, states, patienceMs)
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

  /** The two promises, on everything that happened: nothing acknowledged is lost, nothing ran twice; and replicas are equal. */
  async promisesHold(t: ExecutionContext): Promise<void> {
    await this.nothingIsLost(t)
    t.deepEqual(duplicatedRunners(await this.runners()), [], 'the application ran twice')
  }

  /** The first promise alone, for a world in which the second can't be kept. */
  async nothingIsLost(t: ExecutionContext): Promise<void> {
    await this.clients.stop()
    const acknowledged = this.clients.record.all
    t.true(acknowledged.length > 0, 'the clients were never answered')
    const served = await ledger.entries(this.lab.host('c1'))
    const files = await Promise.all(
      [this.n1, this.n2].map((node) => ledger.readFiles(replica(node))),
    )
    const copies = [served, ...files.filter((copy) => copy !== undefined)]
    t.is(copies.length, 3)
    t.deepEqual(lostEntries(acknowledged, copies), [], 'acknowledged entries are lost')
    t.is(await this.#differences(), '', 'the replicas differ')
  }

  /** The last modification time of a file that was just written may follow its data by a moment. */
  async #differences(): Promise<string> {
    const directories = [replica(this.n1), replica(this.n2)]
    const deadlineMs = monotonicMs() + 5_000
    for (;;) {
      const compared = await runCommand(process.execPath, [compareProgram, ...directories])
      const said = `${compared.stdout}${compared.stderr}`.trim()
      if (compared.code === 0) return ''
      if (monotonicMs() > deadlineMs) return said === '' ? 'the comparison failed' : said
      await delay(100)
    }
  }

  /** Every run of the application on any node. */
  async runners(): Promise<readonly Runner[]> {
    const runs: Runner[] = []
    for (const node of [this.n1, this.n2]) {
      const file = join(node.host.disk, 'srv', 'evidence', 'evidence.log')
      runs.push(...runnersOf(node.host.name, await textOf(file)))
    }
    return runs
  }

  /** SIGKILL to the replication's process of a node. */
  async killDataPlane(node: Product): Promise<void> {
    const find = 'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline 2>/dev/null | '
    const command = `${find} grep -q "node .*plane/main.js" && echo \${p#/proc/}; done; true`
    const pids = (await node.host.mustRun(['sh', '-c', command])).split('\n').filter(Boolean)
    await node.host.mustRun(['sh', '-c', `kill -KILL ${pids.join(' ')} 2>/dev/null; true`])
  }

  /** Nothing goes from either node to the other on one LAN; clients still reach both. */
  async separate(lan: string): Promise<void> {
    for (const [from, to] of [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ] as const) {
      await this.lab.network.lose({ from, to, lan, percent: 100 })
    }
  }

  async end(): Promise<void> {
    await this.lab.remove()
  }

  async #configure(options: PairOptions): Promise<void> {
    for (const node of [this.n1, this.n2]) {
      await node.host.mustRun(['mkdir', '-p', ledger.directory])
    }
    for (const node of [this.n1, this.n2]) {
      if (options.prepare !== undefined) await node.host.mustRun(['sh', '-c', options.prepare])
    }
    const sources = await moduleSources(this.lab, ledger.name, {
      DIRECTORY: ledger.directory,
      VIRTUAL_IP: virtualIp,
      HEART_TIMEOUT: options.timeout ?? '1000ms',
    })
    if (options.edit !== undefined) {
      const file = join(sources, 'conf', 'userconfig.xml')
      await writeFile(file, options.edit(await readFile(file, 'utf8')))
    }
    for (const [name, text] of Object.entries(options.scripts ?? {})) {
      await writeFile(join(sources, 'bin', name), text)
    }
    await this.n1.mustRun(['module', 'install', ledger.name, sources])
    await this.n1.mustRun(['module', 'config', ledger.name])
  }
}

/** Runs a test on a pair of its own; when it fails, shows what the daemons said last. */
export async function withPair(
  t: ExecutionContext,
  options: PairOptions,
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  t.timeout(180_000)
  const pair = await Pair.formed(options)
  let passed = false
  try {
    await run(pair)
    passed = t.passed
  } finally {
    if (!passed) {
      for (const node of [pair.n1, pair.n2]) {
        const text = await textOf(node.host.logFile('holdfastd'))
        t.log(`holdfastd of ${node.host.name}:\n${text.split('\n').slice(-40).join('\n')}`)
      }
    }
    await pair.end()
  }
}

/** The replicated directory on the node's disk, beneath the mount. */
function replica(node: Product): string {
  return join(node.host.disk, ledger.directory)
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
