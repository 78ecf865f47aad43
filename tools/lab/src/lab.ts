/** A whole lab: hosts, cables and their faults on one machine. What it makes is written down first, so that it can always be removed. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { claimed } from './claim.js'
import { LabError, mustRun, runCommand } from './command.js'
import { Host } from './host.js'
import { deleteNamespace, Network } from './network.js'
import { startTimeOf } from './processes.js'
import {
  checkSpec,
  hostDirectory,
  labDirectory,
  labsDirectory,
  type LabSpec,
  switchNamespace,
} from './spec.js'

/** What is on disk about a lab. `owner`: the process that made it; when that is gone and `kept` is false the lab is a leftover. */
interface LabRecord {
  readonly spec: LabSpec
  readonly owner: { readonly pid: number; readonly startTime: string | undefined }
  readonly kept: boolean
}

export interface LabOptions {
  readonly id?: string
  readonly nodes?: readonly string[]
  readonly clients?: readonly string[]
  readonly lans?: readonly string[]
  readonly disks?: 'plain' | 'tmpfs'
  readonly srvMegabytes?: number
  readonly watchdogSeconds?: number
}

const overlayFileSystem = 0x794c7630
let made = 0

export class Lab {
  readonly spec: LabSpec
  readonly network: Network
  readonly #hosts: ReadonlyMap<string, Host>
  #kept = false
  #removal: Promise<void> | undefined

  private constructor(spec: LabSpec) {
    this.spec = spec
    this.network = new Network(spec)
    this.#hosts = new Map(hostsOf(spec, this.network).map((host) => [host.name, host]))
  }

  /** Builds a lab with all hosts switched on; removes leftovers of dead owners first. A failure removes what was made. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    if (process.getuid?.() !== 0) throw new LabError('a lab needs root: namespaces and mounts')
    await removeLeftovers()
    const spec: LabSpec = {
      id: options.id ?? `hf${process.pid.toString(36)}${made++ === 0 ? '' : `x${made}`}`,
      nodes: options.nodes ?? ['n1', 'n2'],
      clients: options.clients ?? ['c1'],
      lans: options.lans ?? ['default'],
      disks: options.disks ?? (await disksThatWork()),
      ...(options.srvMegabytes === undefined ? {} : { srvMegabytes: options.srvMegabytes }),
      ...(options.watchdogSeconds === undefined
        ? {}
        : { watchdogSeconds: options.watchdogSeconds }),
    }
    checkSpec(spec)
    if (existsSync(recordFile(spec.id))) throw new LabError(`the lab ${spec.id} exists already`)
    const startTime = await startTimeOf(process.pid)
    await writeRecord({ spec, owner: { pid: process.pid, startTime }, kept: false })
    const lab = new Lab(spec)
    try {
      await mkdir(labDirectory(spec.id), { recursive: true, mode: 0o711 })
      if (spec.disks === 'tmpfs') {
        await mustRun('mount', ['-t', 'tmpfs', '-o', 'mode=0711', spec.id, labDirectory(spec.id)])
      }
      await mountSmallDisks(spec)
      await lab.network.build()
      await Promise.all(lab.hosts().map((host) => host.powerOn()))
      return lab
    } catch (error) {
      await lab.remove()
      throw error
    }
  }

  /** A lab that another process made. */
  static async open(id: string): Promise<Lab> {
    const record = await readRecord(id)
    if (record === undefined) {
      const known = await labIds()
      const hint = known.length === 0 ? 'there is none' : `there are: ${known.join(', ')}`
      throw new LabError(`there is no lab "${id}" (${hint})`)
    }
    return new Lab(record.spec)
  }

  get id(): string {
    return this.spec.id
  }

  hosts(): readonly Host[] {
    return [...this.#hosts.values()]
  }

  /** A node or a client by its name. */
  host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) {
      throw new LabError(`no host "${name}" in this lab: ${[...this.#hosts.keys()].join(', ')}`)
    }
    return host
  }

  /** The lab stays when this process ends, until somebody removes it. */
  async keep(): Promise<void> {
    this.#kept = true
    const record = await readRecord(this.id)
    if (record !== undefined) await writeRecord({ ...record, kept: true })
  }

  /**
   * Ends every process of the lab and removes everything that it made. Safe to repeat, also while it is under way: an
   * interrupt and the end of the story may both ask for it.
   */
  async remove(): Promise<void> {
    this.#removal ??= removeLab(this.spec, this.hosts()).finally(() => {
      this.#removal = undefined
    })
    await this.#removal
  }

  /** When this process is interrupted it ends, and removes the lab first unless it was told to keep it. */
  removeOnInterrupt(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        const removed = this.#kept ? Promise.resolve() : this.remove()
        void removed.then(
          () => process.exit(130),
          (error: unknown) => {
            console.error(error)
            process.exit(1)
          },
        )
      })
    }
  }
}

/** Ids of all labs on this machine. */
export async function labIds(): Promise<readonly string[]> {
  if (!existsSync(labsDirectory)) return []
  const files = (await readdir(labsDirectory)).filter((name) => name.endsWith('.json'))
  return files.map((name) => name.slice(0, -'.json'.length)).sort()
}

/**
 * Removes the labs whose owner is gone and that nobody asked to keep; returns their ids. One that somebody else is removing is
 * left to him.
 */
export async function removeLeftovers(): Promise<readonly string[]> {
  const removed: string[] = []
  for (const id of await labIds()) {
    const isRemoved = await claimed(`remove ${id}`, async () => {
      const record = await readRecord(id)
      if (record === undefined || record.kept || (await isOwned(record))) return false
      await removeLab(record.spec, hostsOf(record.spec, new Network(record.spec)))
      return true
    })
    if (isRemoved === true) removed.push(id)
  }
  return removed
}

async function isOwned({ owner }: LabRecord): Promise<boolean> {
  const startTime = await startTimeOf(owner.pid)
  return startTime !== undefined && startTime === owner.startTime
}

function hostsOf(spec: LabSpec, network: Network): readonly Host[] {
  return [...spec.nodes, ...spec.clients].map((name) => new Host(spec, network, name))
}

async function removeLab(spec: LabSpec, hosts: readonly Host[]): Promise<void> {
  for (const host of hosts) await host.remove()
  await deleteNamespace(switchNamespace(spec.id))
  if (spec.srvMegabytes !== undefined) {
    for (const name of spec.nodes) await runCommand('umount', [smallDisk(spec, name)])
  }
  if (spec.disks === 'tmpfs') await runCommand('umount', [labDirectory(spec.id)])
  await rm(labDirectory(spec.id), { recursive: true, force: true, maxRetries: 3 })
  await rm(recordFile(spec.id), { force: true })
}

async function mountSmallDisks(spec: LabSpec): Promise<void> {
  if (spec.srvMegabytes === undefined) return
  for (const name of spec.nodes) {
    const directory = smallDisk(spec, name)
    await mkdir(directory, { recursive: true })
    const size = `size=${String(spec.srvMegabytes)}m,mode=0755`
    await mustRun('mount', ['-t', 'tmpfs', '-o', size, `${spec.id}-${name}`, directory])
  }
}

/** Mounted outside of the node, so that a power cycle of the node leaves it alone. */
function smallDisk(spec: LabSpec, node: string): string {
  return join(hostDirectory(spec.id, node), 'disk', 'srv')
}

/** An overlay can't hold replicated directories with all their attributes: then memory is better. */
async function disksThatWork(): Promise<'plain' | 'tmpfs'> {
  await mkdir(labsDirectory, { recursive: true })
  return (await statfs(labsDirectory)).type === overlayFileSystem ? 'tmpfs' : 'plain'
}

function recordFile(id: string): string {
  return join(labsDirectory, `${id}.json`)
}

async function readRecord(id: string): Promise<LabRecord | undefined> {
  try {
    // Only this file writes the record.
    return JSON.parse(await readFile(recordFile(id), 'utf8')) as LabRecord
  } catch (error) {
    // Another process may have removed its lab since the list was read.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeRecord(record: LabRecord): Promise<void> {
  await mkdir(labsDirectory, { recursive: true })
  const file = recordFile(record.spec.id)
  await writeFile(`${file}.new`, JSON.stringify(record, undefined, 2))
  await rename(`${file}.new`, file)
}
