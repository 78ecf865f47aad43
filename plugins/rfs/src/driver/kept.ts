/**
 * What a data plane that serves leaves for its successor: a file in the module's run directory that names the keeper, a process
 * that does nothing but hold the descriptors of the mounts. Read by the plugin too: as long as the keeper lives, the
 * kernel's connection does.
 */
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from './errno.js'
import { isAlive, killProcess, linkOf, type ProcessIdentity } from './process.js'
import { objectOf } from './object.js'
import { parseObject } from './wire.js'

export interface Kept {
  readonly format: 1
  readonly keeper: ProcessIdentity
  readonly generation: string
  readonly epoch: number
  /** Changes were recorded and answered at once. False: a follower may have to have them, or the role was given up. */
  readonly alone: boolean
  /** The role was given up: whatever comes is refused. */
  readonly refused: boolean
  /**
   * In the order of the keeper's descriptors: from `firstKept` on two for each volume, the mount's and the root's, then the queue of
   * files without a name.
   */
  readonly volumes: readonly {
    readonly index: number
    readonly directory: string
    readonly point: string
  }[]
}

/** Of the keeper's descriptors: 0, 1 and 2 are nothing. */
export const firstKept = 3

/** How a successor is to go on. */
export type Standing = Pick<Kept, 'generation' | 'epoch' | 'alone' | 'refused'>

/** Beside the control socket. */
export function keptFile(socket: string): string {
  return join(dirname(socket), 'rfs-kept.json')
}

/** Undefined: nothing is kept, or by another version in a way that this one does not know. */
export async function readKept(file: string): Promise<Kept | undefined> {
  try {
    return keptOf(parseObject(await readFile(file, 'utf8')) ?? {})
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Why a successor could not go on with the mounts of the data plane that serves; undefined: it could. */
export async function successionProblem(file: string): Promise<string | undefined> {
  const kept = await readKept(file)
  if (kept === undefined) {
    return 'nothing keeps the mounts: this kernel does not give requests again, or too many files without a name are open'
  }
  if (kept.refused) return 'this node is giving up its role'
  if (!(await isAlive(kept.keeper))) return 'the process that keeps the mounts has ended'
  const fds = `/proc/${String(kept.keeper.pid)}/fd`
  for (const [index, { directory }] of kept.volumes.entries()) {
    const held = await linkOf(`${fds}/${String(firstKept + 2 * index)}`)
    if (held !== '/dev/fuse') return `the mount on ${directory} is not kept`
  }
  return undefined
}

/** Ends the keeper and, when no data plane has them any more, the connections to the kernel. Resolves when it is done. */
export async function endKeeper(file: string, wait: () => Promise<void>): Promise<void> {
  const kept = await readKept(file)
  await rm(file, { force: true })
  if (kept !== undefined) await endProcess(kept.keeper, wait)
}

/** A process that does nothing ends at once. */
const triesMax = 500

export async function endProcess(
  identity: ProcessIdentity,
  wait: () => Promise<void>,
): Promise<void> {
  await killProcess(identity)
  for (let tries = 0; tries < triesMax && (await isAlive(identity)); tries++) await wait()
}

/** Pure. */
export function keptOf(fields: Readonly<Record<string, unknown>>): Kept | undefined {
  const { format, generation, epoch, alone, refused, volumes } = fields
  const keeper = objectOf(fields['keeper'])
  const [pid, startTicks] = [keeper?.['pid'], keeper?.['startTicks']]
  if (format !== 1 || typeof pid !== 'number' || typeof startTicks !== 'string') return undefined
  if (typeof generation !== 'string' || typeof epoch !== 'number') return undefined
  if (!Array.isArray(volumes)) return undefined
  const known = volumes.map(volumeOf).filter((volume) => volume !== undefined)
  if (known.length !== volumes.length) return undefined
  return {
    format,
    keeper: { pid, startTicks },
    generation,
    epoch,
    alone: alone === true,
    refused: refused === true,
    volumes: known,
  }
}

function volumeOf(value: unknown): Kept['volumes'][number] | undefined {
  const { index, directory, point } = objectOf(value) ?? {}
  const isWhole =
    typeof index === 'number' && typeof directory === 'string' && typeof point === 'string'
  return isWhole ? { index, directory, point } : undefined
}
