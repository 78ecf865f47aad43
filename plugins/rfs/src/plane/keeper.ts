/**
 * The keeper holds the descriptors of the mounts and of the directories beneath them, so that the kernel's connections outlive
 * this process: a successor takes them from it. It is `sleep`: what does nothing does not fail. See decision 0009.
 */
import { spawn } from 'node:child_process'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '@holdfast/sdk'
import { endProcess, keptFile, type Kept, readKept, type Standing } from '../driver/kept.js'
import { identify, isAlive, type ProcessIdentity } from '../driver/process.js'
import { close, errnoName, pidfdGetfd, pidfdOpen } from './libc.js'
import type { Volume } from './volume.js'

/** Descriptors 0, 1 and 2 of the keeper are nothing. */
const FIRST = 3

export class Keeper {
  #ended = false

  private constructor(
    readonly file: string,
    readonly identity: ProcessIdentity,
    readonly volumes: Kept['volumes'],
  ) {}

  /** Hands the descriptors over and writes down what a successor must know. Throws E_RFS_KEEPER. */
  static async start(
    socket: string,
    volumes: readonly Volume[],
    queue: number,
    standing: Standing,
  ): Promise<Keeper> {
    const descriptors = [...volumes.flatMap(({ fuse, root }) => [fuse, root]), queue]
    const identity = await startKeeper(descriptors)
    const named = volumes.map(({ index, directory, point }) => ({ index, directory, point }))
    const keeper = new Keeper(keptFile(socket), identity, named)
    keeper.note(standing)
    return keeper
  }

  /**
   * To be called before anything is done that a successor must know of. What can't be written down must not be believed
   * either: then there is nothing for a successor.
   */
  note(standing: Standing): void {
    if (this.#ended) return
    const kept: Kept = { format: 1, keeper: this.identity, ...standing, volumes: this.volumes }
    try {
      writeWhole(this.file, JSON.stringify(kept))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      this.forgo()
    }
  }

  /** This process goes on; should it die, the mounts die with it. */
  forgo(): void {
    if (this.#ended) return
    this.#ended = true
    rmSync(this.file, { force: true })
    // Our own child: its number is not another's as long as we are here.
    process.kill(this.identity.pid, 'SIGKILL')
  }

  /** Nothing is left for a successor. Resolves when the keeper has let go of the descriptors. */
  async end(): Promise<void> {
    this.#ended = true
    rmSync(this.file, { force: true })
    await endProcess(this.identity, () => delay(1))
  }
}

/** What a data plane that died left. The descriptors are ours now, and the keeper still has them as well. */
export interface Inheritance {
  readonly kept: Kept
  readonly volumes: readonly { readonly fuse: number; readonly root: number }[]
  /** Of files without a name. */
  readonly queue: number
}

/** Undefined: nothing was left. Throws E_RFS_KEEPER when it can't be taken. */
export async function inherit(socket: string): Promise<Inheritance | undefined> {
  const kept = await readKept(keptFile(socket))
  if (kept === undefined || !(await isAlive(kept.keeper))) return undefined
  const process = pidfdOpen(kept.keeper.pid)
  if (process < 0) throw keeperError(errnoName(process))
  let next = FIRST
  const take = (): number => {
    const fd = pidfdGetfd(process, next++)
    if (fd < 0) throw keeperError(`a descriptor is missing (${errnoName(fd)})`)
    return fd
  }
  const volumes = kept.volumes.map(() => ({ fuse: take(), root: take() }))
  const queue = take()
  close(process)
  return { kept, volumes, queue }
}

/** After a successor has a keeper of its own. */
export async function endFormerKeeper({ keeper }: Kept): Promise<void> {
  await endProcess(keeper, () => delay(1))
}

async function startKeeper(descriptors: readonly number[]): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['infinity'], {
    detached: true,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore', ...descriptors],
  })
  const failure = await new Promise<Error | undefined>((resolve) => {
    child.once('spawn', () => {
      resolve(undefined)
    })
    child.once('error', resolve)
  })
  child.unref()
  const identity = failure === undefined ? await identify(child.pid ?? 0) : undefined
  if (identity !== undefined) return identity
  throw keeperError(failure?.message ?? 'it ended at once')
}

/** On a file system in memory: what counts is that a reader never sees a half of it. */
function writeWhole(file: string, text: string): void {
  const fresh = `${file}.new`
  const fd = openSync(fresh, 'w', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(fresh, file)
}

function keeperError(cause: string): HoldfastError {
  return new HoldfastError('E_RFS_KEEPER', `the descriptors of the mounts can't be kept: ${cause}`)
}
