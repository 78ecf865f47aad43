/**
 * Mounting and unmounting with the system's own programs: no setuid helper, no library. They run beside the loop,
 * never in it: an unmount makes the kernel ask us (it writes back what was mapped) before it returns.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { HoldfastError } from '@holdfast/sdk'
import {
  type Mount,
  isOurView,
  isOurs,
  mountOf,
  mountsOn,
  parseMountinfo,
} from '../../driver/mountinfo.js'
import { AT, O, close, cstring, errnoName, openat } from '../libc.js'

const PROGRAM_TIMEOUT_MS = 20_000
/** Type shown in the mount table: `fuse.holdfast`. */
export const MOUNT_TYPE = 'fuse.holdfast'
/** What an operator forbids on a file system: a mount over it must not allow it again. */
const PROHIBITIONS: readonly string[] = ['nosuid', 'nodev', 'noexec', 'nosymfollow']

/** Mounts over the directory; returns the FUSE descriptor (non-blocking). Throws E_RFS_MOUNT. */
export async function mountOver(directory: string, module: string): Promise<number> {
  const fuse = openat(AT.FDCWD, cstring('/dev/fuse'), O.RDWR | O.NONBLOCK | O.CLOEXEC, 0)
  if (fuse < 0) throw mountError(directory, `/dev/fuse: ${errnoName(fuse)}`)
  const options = [
    'fd=3',
    'rootmode=40000',
    'user_id=0',
    'group_id=0',
    'allow_other',
    'default_permissions',
    ...prohibitionsOn(directory),
  ].join(',')
  const args = ['-i', '-t', MOUNT_TYPE, '-o', options, `holdfast:${module}`, directory]
  const failure = await run('mount', args, fuse)
  if (failure === undefined) return fuse
  close(fuse)
  throw mountError(directory, failure)
}

function prohibitionsOn(directory: string): readonly string[] {
  const { options = [] } = mountOf(readMounts(), directory) ?? {}
  return options.filter((option) => PROHIBITIONS.includes(option))
}

function mountError(directory: string, failure: string): HoldfastError {
  return new HoldfastError('E_RFS_MOUNT', `${directory} can't be mounted: ${failure}`, {
    hint: 'Is the kernel module fuse loaded, and does the process run as root?',
  })
}

/**
 * Puts a read-only view of the directory over itself, if there is none yet: who writes there by mistake is refused, while the data
 * plane goes on beneath it through its root descriptor. Undefined: done. Else why not.
 */
export async function mountView(point: string): Promise<string | undefined> {
  const { mounts, top } = visibleOn(point)
  if (top !== undefined && isOurView(mounts, top)) return undefined
  const bound = await run('mount', ['--bind', point, point])
  if (bound !== undefined) return bound
  const failure = await run('mount', ['-o', 'remount,bind,ro', point])
  if (failure !== undefined) await umount(point, true)
  return failure
}

/**
 * Takes away our own mount (or view), if it is what is mounted there. Undefined: it is gone, perhaps since an earlier
 * try. What lies beneath, the file system with the data itself, is never touched. Else why it could not be unmounted.
 * `lazy`: out of the tree at once, gone when nobody uses it any more.
 */
export async function unmountOurs(point: string, lazy: boolean): Promise<string | undefined> {
  const { mounts, here, top } = visibleOn(point)
  if (top !== undefined && (isOurs(top) || isOurView(mounts, top))) return umount(point, lazy)
  return here.some(isOurs) ? 'something else is mounted over it' : undefined
}

/** What is mounted there, and of it what is seen. */
function visibleOn(point: string): {
  readonly mounts: readonly Mount[]
  readonly here: readonly Mount[]
  readonly top: Mount | undefined
} {
  const mounts = readMounts()
  const here = mountsOn(mounts, point)
  return { mounts, here, top: here.at(-1) }
}

function readMounts(): readonly Mount[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
}

function umount(directory: string, lazy: boolean): Promise<string | undefined> {
  return run('umount', [...(lazy ? ['-l'] : []), '-i', directory])
}

function run(
  program: string,
  args: readonly string[],
  inherited?: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const stdio = ['ignore', 'ignore', 'pipe', ...(inherited === undefined ? [] : [inherited])]
    // What spawn takes as a list is a union; ours is one of strings and a descriptor.
    const child = spawn(program, args, {
      stdio: stdio as ('ignore' | 'pipe' | number)[],
      timeout: PROGRAM_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1000)
    })
    child.on('error', (error) => {
      resolve(error.message)
    })
    child.on('close', (code, signal) => {
      const ended = signal === null ? `exit code ${String(code)}` : `signal ${signal}`
      resolve(code === 0 ? undefined : said.trim() || `${program} ended with ${ended}`)
    })
  })
}
