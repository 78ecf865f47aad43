/** The pair under test with its witness: built, mended after each round, and judged from outside. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Application,
  differences,
  duplicatedRunners,
  LabError,
  lostEntries,
  monotonicMs,
  Pair,
  type PairOptions,
  type Product,
  replicaOf,
  type Runner,
  signal,
  startTimeOf,
  until,
  watchdogDevice,
  WitnessServer,
} from '@holdfast/lab'
import type { Times } from './times.js'
import { versionFor } from './versions.js'

/** Small enough to be filled at once. */
const srvMegabytes = { ledger: 64, postgresql: 768 }
const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const clockLibrary = `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`
const clockFile = '/run/faketime'
export const ballast = '/srv/ballast'
/** Attributes of `<service>`: nobody gives an order after a boot, and nobody counts restarts. */
const always = 'isolation="wait" boot="auto" loop_interval="0"'
/** A module that is stopped is started again by the operator at most so often. */
const startAgainMs = 1_000
/** A pair that is whole answers within this; when it does not, its application is dead. */
const answerMsMax = 3_000

export interface WorldOptions {
  readonly application: Application
  readonly times: Times
}

export const daemonProcess = /^\S*node \S*core\/dist\/main\.js/

export class World {
  readonly pair: Pair
  readonly witness: WitnessServer
  readonly application: Application
  /** Data planes that run on a node since before something else was installed there: by their ids and start times. */
  readonly #outdated = new Map<Product, ReadonlySet<string>>()

  private constructor(pair: Pair, witness: WitnessServer) {
    this.pair = pair
    this.witness = witness
    this.application = pair.application
  }

  /** n1 PRIM, n2 SECOND, both Ready, a witness on a third machine, clients that write. */
  static async create(options: WorldOptions): Promise<World> {
    const { application } = options
    const { timeoutMs, watchdogSeconds, service } = options.times
    const megabytes = application.name === 'ledger' ? srvMegabytes.ledger : srvMegabytes.postgresql
    const pairOptions: PairOptions = {
      application,
      timeout: `${String(timeoutMs)}ms`,
      load: { workers: 4, pauseMs: 25 },
      lans: ['default', 'second'],
      lab: {
        clients: ['c1', 'w1'],
        srvMegabytes: megabytes,
        ...(watchdogSeconds === undefined ? {} : { watchdogSeconds }),
      },
      ...(clockCanJump() ? { daemonEnvironment: clockEnvironment } : {}),
      installed: true,
    }
    const lab = await Pair.lab(pairOptions)
    lab.removeOnInterrupt()
    const witness = new WitnessServer(lab.host('w1'))
    const token = await witness.addCluster('chaos')
    const pair = new Pair(lab, pairOptions)
    await pair.form({
      ...pairOptions,
      prepare: `install -m 600 ${token} /etc/holdfast/witness.key`,
      edit: (xml) =>
        xml
          .replace(/mode="mirror"( isolation="[^"]*")?/, `mode="mirror" ${always} ${service}`)
          .replace('<heart ', `${witness.element}${watchdogElement(watchdogSeconds)}<heart `),
    })
    await witness.start()
    await pair.serves()
    return new World(pair, witness)
  }

  /** Who serves a whole pair, and the other one. */
  async roles(): Promise<{ readonly primary: Product; readonly secondary: Product }> {
    const { n1, n2 } = this.pair
    const primary = (await n1.state(this.application.name)).startsWith('PRIM') ? n1 : n2
    return { primary, secondary: primary === n1 ? n2 : n1 }
  }

  /** Repairs everything that a fault can have broken; safe when nothing is. What the product does about it is its own affair. */
  async mend(): Promise<void> {
    const { lab, nodes } = this.pair
    await lab.network.endLosses()
    if (!(await this.witness.runs())) await this.witness.start()
    for (const node of nodes) {
      await rm(join(node.host.disk, ballast), { force: true })
      try {
        await this.#goOn(node)
      } catch (error) {
        // Its watchdog reset it meanwhile: a machine that begins anew has nothing that stands still.
        if (!(error instanceof LabError) || (await node.host.isOn())) throw error
      }
      await this.#switchOn(node)
    }
  }

  async #goOn(node: Product): Promise<void> {
    if (!(await node.host.isOn())) return
    await this.pair.lab.network.heal({ host: node.host.name })
    await node.host.thaw()
    for (const pid of await node.host.processes(daemonProcess)) signal(pid, 'SIGCONT')
    for (const pid of await node.dataPlanes()) signal(pid, 'SIGCONT')
  }

  /** A machine that a watchdog reset starts again by itself; nothing happens to one that is on. */
  async #switchOn(node: Product): Promise<void> {
    if (!(await node.host.isOn())) await this.pair.switchOn(node)
  }

  /**
   * Waits until one node is PRIM and the other SECOND, both Ready, their data planes run what is installed, and the clients are
   * answered. The operator only starts a module that is stopped and, if `applicationMayBeDead`, restarts an application that nobody
   * watches.
   */
  async whole(boundMs: number, applicationMayBeDead: boolean): Promise<void> {
    const { name } = this.application
    const orderedMs = new Map<Product, number>()
    const deadlineMs = monotonicMs() + boundMs
    await until(
      'the pair is whole',
      async () => {
        for (const node of this.pair.nodes) await this.#switchOn(node)
        const states = await Promise.all(this.pair.nodes.map((node) => node.state(name)))
        for (const [index, node] of this.pair.nodes.entries()) {
          const isDue = monotonicMs() - (orderedMs.get(node) ?? -Infinity) > startAgainMs
          if (states[index] !== 'STOP NotReady' || !isDue) continue
          orderedMs.set(node, monotonicMs())
          await this.tryOrder(node, 'start')
        }
        return isWhole(states) && (await this.#isRenewed()) ? true : undefined
      },
      { timeoutMs: boundMs, everyMs: 50 },
    )
    await this.#answers(Math.max(0, deadlineMs - monotonicMs()), applicationMayBeDead)
  }

  /** The daemons are not touched. With `otherCopy` nodes understand each other again only when both have it. */
  async install(nodes: readonly Product[], otherCopy: boolean): Promise<void> {
    const versionOf = (node: Product): number => this.pair.installation(node).version
    const version = versionFor(this.pair.nodes.map(versionOf), nodes.map(versionOf))
    for (const node of nodes) {
      this.#outdated.set(node, await dataPlanesOf(node))
      const installation = this.pair.installation(node)
      await (otherCopy ? installation.installOtherCopy(version) : installation.install(version))
    }
  }

  /** A primary runs what is installed there, and so does a secondary where that is the same; else it follows with what it has. */
  async #isRenewed(): Promise<boolean> {
    const { primary, secondary } = await this.roles()
    const [ofPrimary, ofSecondary] = [primary, secondary].map(
      (node) => this.pair.installation(node).version,
    )
    if (await this.isOutdated(primary)) return false
    return ofPrimary !== ofSecondary || !(await this.isOutdated(secondary))
  }

  /** A data plane runs there since before something else was installed. */
  async isOutdated(node: Product): Promise<boolean> {
    const outdated = this.#outdated.get(node)
    return [...(await dataPlanesOf(node))].some((one) => outdated?.has(one) === true)
  }

  /** An order that may come at a bad moment: the refusal is the operator's answer then. */
  async tryOrder(node: Product, command: string): Promise<boolean> {
    const args = [command, '-m', this.application.name, '--no-wait']
    try {
      return (await node.run(args, { timeoutMs: 10_000 })).code === 0
    } catch (error) {
      // The node is off.
      if (!(error instanceof LabError)) throw error
      return false
    }
  }

  /**
   * Acknowledged entries that are missing through the virtual IP or in one of the replicas. A copy is held against its node only
   * when the pair was whole all the time, in one generation: a daemon that adopts shows for a moment what its predecessor showed.
   */
  async lost(boundMs: number): Promise<readonly string[]> {
    return until(
      'the pair stays whole while its copies are read',
      async () => {
        const before = await this.#wholeGeneration()
        const lost = await this.#missing()
        const stayed = before !== undefined && before === (await this.#wholeGeneration())
        return stayed || lost.length === 0 ? lost : undefined
      },
      { timeoutMs: boundMs, everyMs: 100 },
    )
  }

  /** Undefined: the pair is not whole. */
  async #wholeGeneration(): Promise<string | undefined> {
    const { name } = this.application
    const states = await Promise.all(this.pair.nodes.map((node) => node.state(name)))
    if (!isWhole(states)) return undefined
    const answers = await Promise.all(this.pair.nodes.map((node) => node.module(name)))
    return answers.map((answer) => answer?.state?.generation ?? '?').join()
  }

  async #missing(): Promise<readonly string[]> {
    await this.pair.clients.record.read()
    const acknowledged = [...this.pair.clients.record.all]
    const served = await this.application.entries(this.pair.lab.host('c1'))
    const files = await Promise.all(
      this.pair.nodes.map((node) =>
        this.application.readFiles(replicaOf(node.host, this.application)),
      ),
    )
    return lostEntries(acknowledged, [served, ...files.filter((copy) => copy !== undefined)])
  }

  /** How often watchdogs have reset nodes. */
  resets(): number {
    return this.pair.nodes.reduce((sum, { host }) => sum + host.resets, 0)
  }

  /** Why this node began to serve the last time, in its own words. */
  async whyServes(node: Product): Promise<string> {
    const isBegin = ({ from, role }: Readonly<Record<string, unknown>>): boolean =>
      isServing(role) && !isServing(from)
    const event = await node.lastEvent(this.application.name, 'stateChanged', isBegin)
    const cause = event?.['cause']
    return typeof cause === 'string' ? cause : 'no cause'
  }

  async doubleRuns(): Promise<readonly string[]> {
    const pairs = duplicatedRunners(await this.pair.runners())
    return pairs.map(([one, other]) => `${shown(one)} and ${shown(other)}`)
  }

  /** Stops the clients and compares the trees. Empty: they are identical. */
  async finalDifferences(): Promise<string> {
    await this.pair.clients.stop()
    const { primary } = await this.roles()
    return differences(
      this.pair.nodes.map((node) => replicaOf(node.host, this.application)),
      { timeoutMs: 15_000, settle: () => this.application.settle(primary.host) },
    )
  }

  /** The clock of a node's daemon jumps by so many seconds from the true time. */
  async setClock(node: Product, seconds: number): Promise<void> {
    const text = `${seconds < 0 ? '' : '+'}${String(seconds)}\n`
    await writeFile(await node.host.inside(clockFile), text)
  }

  /** Copies what the daemons, the witness and the application said. */
  async keepLogs(directory: string, story: string): Promise<void> {
    // A link of an earlier round there would be followed.
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'story.txt'), story)
    for (const node of this.pair.nodes) {
      for (const part of ['logs', 'var-lib-holdfast']) {
        const to = join(directory, node.host.name, part)
        // As they are: links of this node point into its own tree.
        const options = { recursive: true, verbatimSymlinks: true, filter: isNoSocket }
        await cp(join(node.host.disk, part), to, options)
      }
    }
    await cp(join(this.witness.host.directory, 'witness'), join(directory, 'witness'), {
      recursive: true,
    })
    const client = this.pair.lab.host('c1')
    await cp(join(client.directory, 'acknowledged.jsonl'), join(directory, 'acknowledged.jsonl'))
  }

  async #answers(boundMs: number, applicationMayBeDead: boolean): Promise<void> {
    const { record } = this.pair.clients
    if (!applicationMayBeDead) return record.more(5, Math.max(boundMs, answerMsMax))
    try {
      await record.more(5, answerMsMax)
    } catch (error) {
      if (!(error instanceof LabError)) throw error
      const { primary } = await this.roles()
      await this.tryOrder(primary, 'restart')
      await record.more(5, boundMs)
      await this.whole(boundMs, false)
    }
  }
}

const clockEnvironment = {
  LD_PRELOAD: clockLibrary,
  FAKETIME_TIMESTAMP_FILE: clockFile,
  FAKETIME_CACHE_DURATION: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  FAKETIME_DONT_RESET: '1',
}

/** Debian's libfaketime, which the daemons and their children are started with; the monotonic clock stays the true one. */
export function clockCanJump(): boolean {
  return existsSync(clockLibrary)
}

async function dataPlanesOf(node: Product): Promise<ReadonlySet<string>> {
  const pids = await node.dataPlanes()
  const times = await Promise.all(pids.map(startTimeOf))
  return new Set(pids.map((pid, index) => `${String(pid)} ${times[index] ?? 'gone'}`))
}

function watchdogElement(seconds: number | undefined): string {
  if (seconds === undefined) return ''
  return `<watchdog mode="required" device="${watchdogDevice}" timeout="${String(seconds)}s"/>`
}

function isServing(role: unknown): boolean {
  return role === 'ALONE' || role === 'PRIM'
}

function isWhole(states: readonly string[]): boolean {
  return [...states].sort().join() === 'PRIM Ready,SECOND Ready'
}

function shown({ node, boot, firstNs, lastNs }: Runner): string {
  const ms = (ns: bigint): string => String(ns / 1_000_000n)
  return `${node} ${boot} from ${ms(firstNs)} to ${ms(lastNs)} ms`
}

function isNoSocket(path: string): boolean {
  return !path.endsWith('.sock')
}
