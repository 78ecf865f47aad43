/** Two nodes of which the second one is made equal again and again, and what is measured while that happens. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Host, LabError, monotonicMs, type Product, runCommand } from '@holdfast/lab'
import { beneathDirectory } from '../disks.js'
import { compareCopies, directory, moduleName, order, startTimeoutMs } from '../sides/holdfast.js'
import type { ResyncRow, Writes } from './words.js'

const copyTimeoutMs = 45 * 60_000
const steadyWrites = generator('steady-writes')
const makeTree = generator('make-tree')
/** Beneath the mounts: what is done here, the product does not see. */
export const beneath = join(beneathDirectory, 'replicated')
export const applicationFile = join(directory, 'application')

export interface Tree {
  readonly files: number
  readonly fileBytes: number
  readonly filesPerDirectory: number
}

export class Stand {
  readonly #primary: Product
  readonly #secondary: Product
  readonly tree: Tree

  constructor([primary, secondary]: readonly [Product, Product], tree: Tree) {
    this.#primary = primary
    this.#secondary = secondary
    this.tree = tree
  }

  /** What has to become equal when nothing is known. */
  get all(): { readonly files: number; readonly bytes: number } {
    const { files, fileBytes } = this.tree
    return { files, bytes: files * fileBytes }
  }

  get first(): Host {
    return this.#primary.host
  }

  get second(): Host {
    return this.#secondary.host
  }

  async serve(): Promise<void> {
    await order(this.#primary, 'prim')
    await this.#primary.waitForState(moduleName, ['ALONE Ready'], startTimeoutMs)
  }

  async stopSecond(): Promise<void> {
    await this.#stop(this.#secondary)
    await this.#primary.waitForState(moduleName, ['ALONE Ready'], startTimeoutMs)
  }

  async stopBoth(): Promise<void> {
    await this.#stop(this.#secondary)
    await this.#stop(this.#primary)
  }

  async #stop(product: Product): Promise<void> {
    await order(product, 'stop')
    await product.waitForState(moduleName, ['STOP NotReady'], startTimeoutMs)
  }

  /** Starts the secondary and waits until it is one; the row says what that took. */
  async synchronise(
    scenario: string,
    { files, bytes }: { readonly files: number; readonly bytes: number },
  ): Promise<ResyncRow> {
    const wire = await this.#wireBytes()
    await this.#forgetMemory()
    const from = monotonicMs()
    await order(this.#secondary, 'start')
    await this.#secondary.waitForState(moduleName, ['SECOND Ready'], copyTimeoutMs)
    const seconds = (monotonicMs() - from) / 1_000
    const done = await this.#primary.lastEvent(moduleName, 'copyDone')
    const scoped = await this.#primary.lastEvent(moduleName, 'copyScoped')
    const ms = done?.['ms']
    const content = done?.['contentBytes']
    return {
      ...{ scenario, seconds, files, bytes },
      copySeconds: typeof ms === 'number' ? ms / 1_000 : undefined,
      scope: typeof scoped?.['scope'] === 'string' ? scoped['scope'] : undefined,
      contentBytes: typeof content === 'number' ? content : undefined,
      wireBytes: (await this.#wireBytes()) - wire,
      sourceMemoryBytes: await mostMemory(this.#primary),
      targetMemoryBytes: await mostMemory(this.#secondary),
      writes: undefined,
    }
  }

  /** A program reads the names of all directories through the mount. */
  async list(scenario: string): Promise<ResyncRow> {
    const wire = await this.#wireBytes()
    await this.#forgetMemory()
    const from = monotonicMs()
    const command = `for one in ${directory}/d*; do ls -f "$one"; done | wc -l`
    const lines = await this.first.mustRun(['sh', '-c', command], { timeoutMs: copyTimeoutMs })
    const seconds = (monotonicMs() - from) / 1_000
    const { files, filesPerDirectory } = this.tree
    // Beside the names of files `.` and `..` of each directory.
    const expected = files + 2 * Math.ceil(files / filesPerDirectory)
    if (Number(lines) !== expected) {
      throw new LabError(`${scenario}: ${lines.trim()} names were read of ${String(expected)}`)
    }
    return {
      ...{ scenario, seconds, files, bytes: 0, copySeconds: undefined, scope: undefined },
      ...{ contentBytes: undefined, wireBytes: (await this.#wireBytes()) - wire },
      sourceMemoryBytes: await mostMemory(this.#primary),
      targetMemoryBytes: await mostMemory(this.#secondary),
      writes: undefined,
    }
  }

  /** What an application's writes took while something else was done. */
  async writing<Result>(work: () => Promise<Result>): Promise<readonly [Result, Writes]> {
    const end = '/run/bench-end'
    const { first } = this
    await first.mustRun(['rm', '-f', end])
    const command = [process.execPath, steadyWrites, applicationFile, end]
    const running = first.mustRun(command, { timeoutMs: copyTimeoutMs })
    // It is awaited below; a failure before that must not end the program by itself.
    running.catch(() => undefined)
    try {
      const result = await work()
      await first.mustRun(['touch', end])
      // Our own program printed it.
      return [result, JSON.parse(await running) as Writes]
    } finally {
      await first.mustRun(['touch', end])
    }
  }

  /** Every n-th file is written with the content of a round. */
  async write(top: string, every: number, round: number): Promise<void> {
    const { files, fileBytes, filesPerDirectory } = this.tree
    const numbers = [files, fileBytes, every, round, filesPerDirectory].map(String)
    const options = { timeoutMs: copyTimeoutMs }
    await this.first.mustRun([process.execPath, makeTree, top, ...numbers], options)
  }

  /** The journal of the secondary, which is stopped, is lost: nobody knows what may differ. */
  async forgetJournal(): Promise<void> {
    const journals = [
      'find',
      '/var/lib/holdfast',
      '-path',
      '*/journal/journal',
      '-print',
      '-delete',
    ]
    const found = await this.second.mustRun(journals)
    if (found.trim() === '') throw new LabError('no journal was found: nothing was forgotten')
  }

  async compare(): Promise<void> {
    await compareCopies([this.#primary, this.#secondary])
  }

  async #wireBytes(): Promise<number> {
    let sum = 0
    for (const node of [this.first, this.second]) {
      const lines = (await node.mustRun(['cat', '/proc/net/dev'])).split('\n').slice(2)
      for (const line of lines) {
        const [name = '', counters = ''] = line.split(':')
        // The ninth counter: bytes sent. Over loopback nothing of the replication goes.
        if (name.trim() !== 'lo') sum += Number(counters.trim().split(/\s+/)[8] ?? 0)
      }
    }
    return sum
  }

  /** The greatest memory so far is forgotten: it counts from here. */
  async #forgetMemory(): Promise<void> {
    const planes = [this.#primary, this.#secondary].map((product) => product.dataPlanes())
    for (const pid of (await Promise.all(planes)).flat()) {
      await writeFile(`/proc/${String(pid)}/clear_refs`, '5')
    }
  }
}

async function mostMemory(product: Product): Promise<number | undefined> {
  const [pid] = await product.dataPlanes()
  if (pid === undefined) return undefined
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8')
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024
}

/** The same work by `cp -a`, from one node's disk to the other's: nothing between them, nothing compared. */
export async function copyPlainly(stand: Stand): Promise<ResyncRow> {
  const { files, fileBytes } = stand.tree
  const from = await stand.first.inside(beneath)
  const to = join(await stand.second.inside(beneathDirectory), 'plain')
  const begun = monotonicMs()
  const copied = await runCommand('sh', ['-c', 'cp -a "$1" "$2" && sync -f "$2"', 'sh', from, to], {
    timeoutMs: copyTimeoutMs,
  })
  const seconds = (monotonicMs() - begun) / 1_000
  await rm(to, { recursive: true, force: true })
  if (copied.code !== 0) throw new LabError(`cp -a failed: ${copied.stderr}`)
  return {
    ...{ scenario: 'cp -a', seconds, files, bytes: files * fileBytes },
    ...{ copySeconds: undefined, scope: undefined, contentBytes: undefined },
    ...{ wireBytes: undefined, sourceMemoryBytes: undefined, targetMemoryBytes: undefined },
    writes: undefined,
  }
}

function generator(name: string): string {
  return fileURLToPath(new URL(`../generators/${name}.js`, import.meta.url))
}
