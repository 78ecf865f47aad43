/**
 * The keeper holds the descriptors of the mounts and of the directories beneath them, so that the kernel's connections outlive
 * this process: a successor takes them from it. It is `sleep`: what does nothing does not fail. See decision 0009.
 */
import { spawn } from 'node:child_process'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '@holdfast/sdk'
import {
  endProcess,
  firstKept,
  keptFile,
  type Kept,
  readKept,
  type Standing,
} from '../driver/kept.js'
import { identify, isAlive, type ProcessIdentity } from '../driver/process.js'
import { close, errnoName, pidfdGetfd, pidfdOpen } from './libc.js'
import type { Volume } from './volume.js'

/** Whoever ends the keeper again and again does not want one. */
const REPLACED_MAX = 3
const REPLACED_WITHIN_MS = 60_000

interface KeeperParts {
  readonly file: string
  readonly volumes: Kept['volumes']
  readonly descriptors: readonly number[]
  /** There is no keeper any more: should this process die, the mounts die with it. */
  readonly onForgone: (cause: string) => void
}

export class Keeper {
  #ended = false
  /** Undefined: it was ended by somebody, and another one is being started. */
  #identity: ProcessIdentity | undefined
  #replacing: Promise<void> = Promise.resolve()
  #replacedAt: readonly number[] = []

  private constructor(
    readonly parts: KeeperParts,
    private standing: Standing,
  ) {}

  /** Hands the descriptors over and writes down what a successor must know. Throws E_RFS_KEEPER. */
  static async start(
    socket: string,
    { volumes, queue }: { readonly volumes: readonly Volume[]; readonly queue: number },
    standing: Standing,
    onForgone: (cause: string) => void,
  ): Promise<Keeper> {
    const descriptors = [...volumes.flatMap(({ fuse, root }) => [fuse, root]), queue]
    const named = volumes.map(({ index, directory, point }) => ({ index, directory, point }))
    const parts = { file: keptFile(socket), volumes: named, descriptors, onForgone }
    const keeper = new Keeper(parts, standing)
    await keeper.#begin()
    return keeper
  }

  /**
   * To be called before anything is done that a successor must know of. What can't be written down must not be believed
   * either: then there is nothing for a successor.
   */
  note(standing: Standing): void {
    this.standing = standing
    // Without an identity the file names a keeper that is dead: nobody believes it.
    if (this.#ended || this.#identity === undefined) return
    const { file, volumes } = this.parts
    const kept: Kept = { format: 1, keeper: this.#identity, ...standing, volumes }
    try {
      writeWhole(file, JSON.stringify(kept))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      this.forgo(`${file} can't be written: ${error.message}`)
    }
  }

  /** This process goes on; should it die, the mounts die with it. */
  forgo(cause: string): void {
    if (this.#ended) return
    this.#ended = true
    rmSync(this.parts.file, { force: true })
    // Our own child: its number is not another's as long as we have not heard of its end.
    if (this.#identity !== undefined) process.kill(this.#identity.pid, 'SIGKILL')
    this.parts.onForgone(cause)
  }

  /** Nothing is left for a successor. Resolves when the keeper has let go of the descriptors. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#replacing
    rmSync(this.parts.file, { force: true })
    if (this.#identity !== undefined) await endProcess(this.#identity, () => delay(1))
  }

  async #begin(): Promise<void> {
    this.#identity = await startKeeper(this.parts.descriptors, () => {
      this.#identity = undefined
      if (!this.#ended) this.#replacing = this.#replace()
    })
    this.note(this.standing)
  }

  /** Somebody ended it: this process and the mounts are as well as before, and only a successor would miss it. */
  async #replace(): Promise<void> {
    const now = performance.now()
    const recent = this.#replacedAt.filter((at) => now - at < REPLACED_WITHIN_MS)
    this.#replacedAt = [...recent, now]
    if (recent.length >= REPLACED_MAX) {
      this.forgo('the keeper was ended again and again')
      return
    }
    try {
      await this.#begin()
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      this.forgo(error.message)
    }
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
  let next = firstKept
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

/** `onEnded` is called when it ends, by whomever. */
async function startKeeper(
  descriptors: readonly number[],
  onEnded: () => void,
): Promise<ProcessIdentity> {
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
  const hasEnded = child.exitCode !== null || child.signalCode !== null
  if (identity === undefined || hasEnded) {
    throw keeperError(failure?.message ?? 'it ended at once')
  }
  child.once('exit', onEnded)
  return identity
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
