/** The replicated directories themselves, also while the mount of a data plane covers them. */
import fs from 'node:fs'
import type { PlaneLaunch } from '../driver/protocol.js'
import { FUSE_MAGIC } from '../plane/volume.js'

/**
 * Descriptors by the numbers of the volumes; what is not there is left out. `pid`: of the data plane that is in charge of them.
 */
export function rootsOf(
  volumes: PlaneLaunch['volumes'],
  pid: number | undefined,
): ReadonlyMap<number, number> {
  const roots = new Map<number, number>()
  for (const { index, directory } of volumes) {
    const root = (pid === undefined ? undefined : beneath(directory, pid)) ?? open(directory)
    if (root !== undefined) roots.set(index, root)
  }
  return roots
}

/**
 * The directory that the data plane has covered: it holds it open. Asking for a million names through its mount would take the time of
 * the application.
 */
function beneath(directory: string, pid: number): number | undefined {
  const descriptors = `/proc/${pid}/fd`
  const point = fs.realpathSync(directory)
  for (const name of fs.readdirSync(descriptors)) {
    const path = `${descriptors}/${name}`
    // One that was closed meanwhile has no target any more.
    if (unlessGone(() => fs.readlinkSync(path)) !== point) continue
    const root = open(path)
    if (root === undefined) continue
    if (fs.statfsSync(`/proc/self/fd/${root}`).type !== FUSE_MAGIC) return root
    fs.closeSync(root)
  }
  return undefined
}

function open(path: string): number | undefined {
  return unlessGone(() => fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY))
}

/** Undefined: there is no such name (any more). */
export function unlessGone<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}
