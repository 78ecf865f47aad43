/** Who still uses a mounted directory: what `fuser -m` tells, from /proc, without touching the file system itself. */
import { readdir } from 'node:fs/promises'
import { errnoOf } from './errno.js'
import { isOurs, mountsOn, parseMountinfo } from './mountinfo.js'
import { linkOf, readProc } from './process.js'
import { isBeneath } from './settings.js'

export interface Holder {
  readonly pid: number
  readonly command: string
  /** What it holds: `cwd`, `root`, `file /path`, `map`. */
  readonly holds: string
}

const holdersMax = 64
const descriptorsMax = 65_536

/**
 * Links in /proc are read, never followed: a stat through a mount whose data plane is dead or hangs would hang too.
 * Processes in other mount namespaces (containers) are found by their own mountinfo.
 */
export async function findHolders(
  directories: readonly string[],
  except: readonly number[],
): Promise<readonly Holder[]> {
  const own = parseMountinfo((await readProc('/proc/self/mountinfo')) ?? '')
  const ours = directories.flatMap((directory) => mountsOn(own, directory).filter(isOurs))
  return findUsers(new Set(ours.map(({ device }) => device)), except)
}

/** Processes that use a file system, named by `major:minor`. */
export async function findUsers(
  devices: ReadonlySet<string>,
  except: readonly number[],
): Promise<readonly Holder[]> {
  const holders: Holder[] = []
  if (devices.size === 0) return holders
  for (const name of await readdir('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || except.includes(pid) || pid === process.pid) continue
    const holds = await holdOf(pid, devices)
    if (holds !== undefined) holders.push({ pid, command: await commandOf(pid), holds })
    if (holders.length >= holdersMax) break
  }
  return holders
}

/** For a sentence: `1234 postgres (file /data/base/1), 1300 bash (cwd)`. */
export function describeHolders(holders: readonly Holder[]): string {
  const shown = holders.slice(0, 8)
  const texts = shown.map(({ pid, command, holds }) => `${String(pid)} ${command} (${holds})`)
  const rest = holders.length - shown.length
  return rest > 0 ? `${texts.join(', ')} and ${String(rest)} more` : texts.join(', ')
}

async function holdOf(pid: number, devices: ReadonlySet<string>): Promise<string | undefined> {
  const base = `/proc/${String(pid)}`
  const mounts = parseMountinfo((await readProc(`${base}/mountinfo`)) ?? '')
  const points = mounts.filter((mount) => devices.has(mount.device)).map(({ point }) => point)
  if (points.length === 0) return undefined
  const holdsPath = (path: string) => points.some((point) => isBeneath(path, point))
  for (const what of ['cwd', 'root', 'exe']) {
    if (holdsPath(await linkOf(`${base}/${what}`))) return what
  }
  for (const descriptor of (await namesIn(`${base}/fd`)).slice(0, descriptorsMax)) {
    const path = await linkOf(`${base}/fd/${descriptor}`)
    if (holdsPath(path)) return `file ${path}`
  }
  return (await isMapped(base, devices)) ? 'map' : undefined
}

/** A mapped file may have no descriptor any more. The fourth column is the device, in hexadecimal. */
async function isMapped(base: string, devices: ReadonlySet<string>): Promise<boolean> {
  const maps = (await readProc(`${base}/maps`)) ?? ''
  return maps.split('\n').some((line) => {
    const [major, minor] = (line.split(' ')[3] ?? '').split(':')
    const device = `${String(Number.parseInt(major ?? '', 16))}:${String(Number.parseInt(minor ?? '', 16))}`
    return devices.has(device)
  })
}

async function commandOf(pid: number): Promise<string> {
  return ((await readProc(`/proc/${String(pid)}/comm`)) ?? '?').trim()
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error))) return []
    throw error
  }
}
