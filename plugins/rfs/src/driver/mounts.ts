/** What a data plane that is gone left mounted, and getting rid of it. */
import { lstat } from 'node:fs/promises'
import { type Exec, type Verdict, done, refused } from '@holdfast/sdk'
import { errnoOf } from './errno.js'
import { isOurs, isOurView, type Mount, mountsOn, parseMountinfo } from './mountinfo.js'
import { readProc } from './process.js'
import { type RfsConfig, toCheckPath } from './settings.js'

/** Mounts of ours may have been stacked by several deaths; more than this is not ours to repair. */
const layersMax = 8
const umountWaitMs = 20_000
const probeWaitMs = 3_000

export async function readMounts(): Promise<readonly Mount[]> {
  return parseMountinfo((await readProc('/proc/self/mountinfo')) ?? '')
}

/** True when the visible mount on each directory is a FUSE mount of ours. */
export async function areServed(directories: readonly string[]): Promise<boolean> {
  const mounts = await readMounts()
  return directories.every((directory) => {
    const top = mountsOn(mounts, directory).at(-1)
    return top !== undefined && isOurs(top)
  })
}

/**
 * Unmounts what is left on the directories when no data plane of this module runs. `lazy`: also what is in use;
 * the connection behind it is dead, so nobody can write through it, but who holds it may open the directory anew.
 */
export async function unmountLeftovers(
  exec: Exec,
  directories: readonly string[],
  lazy: boolean,
): Promise<Verdict> {
  for (const directory of [...directories].reverse()) {
    for (let layer = 0; layer < layersMax; layer++) {
      const left = leftover(await readMounts(), directory)
      if (left === undefined) break
      const alive = isOurs(left) && (await isConnected(exec, directory))
      if (alive) {
        return refused(
          'E_RFS_FOREIGN_MOUNT',
          `${directory} is mounted by a data plane that is not of this module`,
          `find it with: grep ${directory} /proc/mounts; end it, then try again`,
        )
      }
      const verdict = await unmount(exec, directory, lazy)
      if (!verdict.ok) return verdict
    }
  }
  return done
}

/** What must hold before a directory is served or followed into. */
export async function examine(config: RfsConfig): Promise<Verdict> {
  for (const { dir, tocheck = [] } of config.rfs.replicated) {
    if ((await kindOf(dir)) !== 'directory') {
      return refused('E_RFS_DIRECTORY', `the replicated directory ${dir} is missing`, 'create it')
    }
    for (const { path } of tocheck) {
      const absolute = toCheckPath(dir, path)
      if (absolute === undefined || (await kindOf(absolute)) === undefined) {
        return refused(
          'E_RFS_TOCHECK',
          `${path} does not exist in ${dir} (<tocheck>)`,
          'is the file system of the directory mounted?',
        )
      }
    }
  }
  return done
}

function leftover(mounts: readonly Mount[], directory: string): Mount | undefined {
  const top = mountsOn(mounts, directory).at(-1)
  return top !== undefined && (isOurs(top) || isOurView(mounts, top)) ? top : undefined
}

/** In a process of its own: on a mount whose data plane hangs, the question would block a thread of ours for ever. */
async function isConnected(exec: Exec, directory: string): Promise<boolean> {
  const result = await exec.run('stat', ['--file-system', '--', directory], {
    timeoutMs: probeWaitMs,
    env: { LC_ALL: 'C' },
  })
  return result.code === 0 || result.timedOut
}

async function unmount(exec: Exec, directory: string, lazy: boolean): Promise<Verdict> {
  const flags = lazy ? ['--no-canonicalize', '--lazy'] : ['--no-canonicalize']
  const result = await exec.run('umount', [...flags, '--', directory], {
    timeoutMs: umountWaitMs,
    env: { LC_ALL: 'C' },
  })
  if (result.code === 0) return done
  const reason = `umount ${directory}: ${result.stderr.trim()}`
  return refused(reason.includes('busy') ? 'E_RFS_BUSY' : 'E_RFS_UNMOUNT', reason)
}

async function kindOf(path: string): Promise<'directory' | 'other' | undefined> {
  try {
    return (await lstat(path)).isDirectory() ? 'directory' : 'other'
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) return undefined
    throw error
  }
}
