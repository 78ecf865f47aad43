/** Is `<rfs>` possible on this node? Run at configuration on every node, before anything is applied. Changes nothing. */
import { constants } from 'node:fs'
import { access, lstat, readdir, realpath, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { isAbsolute, normalize } from 'node:path'
import type { ModuleContext } from '@holdfast/sdk'
import { ruleProblem, type ExclusionRule } from '../plane/exclusions.js'
import { errnoOf } from './errno.js'
import { isOurs, type Mount, mountOf, mountsBeneath, mountsOn } from './mountinfo.js'
import { readMounts } from './mounts.js'
import { portOf } from './protocol.js'
import { directoriesOf, isBeneath, type RfsConfig, toCheckPath } from './settings.js'

export interface Finding {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export interface CheckReport {
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** The host adds what the same plugin was given in the other modules of this node. */
export interface CheckContext extends ModuleContext {
  readonly others?: readonly { readonly module: string; readonly config: unknown }[]
}

export async function check(config: RfsConfig, context: CheckContext): Promise<CheckReport> {
  const errors: Finding[] = []
  const warnings: Finding[] = []
  const directories = config.rfs.replicated.map(({ dir }) => dir)
  const claims = claimsOf(context)
  const mounts = await readMounts()
  for (const [
    index,
    { dir, tocheck = [], notreplicated = [] },
  ] of config.rfs.replicated.entries()) {
    const path = `/rfs/replicated/${String(index)}/dir`
    errors.push(...ruleProblems(notreplicated, `/rfs/replicated/${String(index)}/notreplicated`))
    const wrong =
      nameProblem(dir) ??
      nestingProblem(dir, directories, index) ??
      claimProblem(dir, claims) ??
      ownProblem(dir, context) ??
      (await directoryProblem(dir)) ??
      mountProblem(dir, mounts)
    if (wrong !== undefined) {
      errors.push({ path, message: wrong })
      continue
    }
    errors.push(...(await toCheckProblems(dir, tocheck, path)))
    warnings.push(...(await doubts(dir, mounts)).map((message) => ({ path, message })))
  }
  for (const message of await nodeProblems(context)) errors.push({ path: '/rfs', message })
  return { errors, warnings }
}

/** Directories of the system: nobody replicates them, somebody writes `/etc` by mistake. */
const forbidden = [
  ...['/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib32', '/lib64', '/media', '/mnt'],
  ...['/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/var', '/'],
  ...['/var/lib', '/var/log', '/var/run', '/var/tmp', '/usr/lib', '/usr/bin', '/etc/holdfast'],
]
const forbiddenBeneath = ['/proc', '/sys', '/dev', '/boot', '/bin', '/sbin', '/lib', '/usr/bin']

/** What `dir` may look like, whatever there is on this node. */
export function nameProblem(dir: string): string | undefined {
  if (!isAbsolute(dir)) return `"${dir}" is not an absolute path; begin it with /`
  const plain = normalize(dir).replace(/(.)\/$/, '$1')
  if (plain !== dir) return `"${dir}" is not in its plain form; write "${plain}"`
  if (dir.includes('\0') || dir.includes('\n')) return 'a path may not hold a NUL or a line end'
  const system = forbidden.includes(dir) || forbiddenBeneath.some((one) => isBeneath(dir, one))
  return system
    ? `${dir} belongs to the operating system; replicate a directory of the application's own`
    : undefined
}

export function nestingProblem(
  dir: string,
  directories: readonly string[],
  index: number,
): string | undefined {
  const other = directories.find((one, at) => at !== index && one !== dir && isBeneath(dir, one))
  if (other !== undefined) return `${dir} lies in ${other}, which is replicated already`
  return directories.indexOf(dir) < index ? `${dir} is written twice` : undefined
}

interface Claim {
  readonly module: string
  readonly directory: string
}

/** Two modules on one directory would each mount over it, and write beneath the other's mount. */
function claimsOf({ others = [] }: CheckContext): readonly Claim[] {
  return others.flatMap(({ module, config }) =>
    directoriesOf(config).map((directory) => ({ module, directory })),
  )
}

function claimProblem(dir: string, claims: readonly Claim[]): string | undefined {
  const clash = claims.find(
    ({ directory }) => isBeneath(dir, directory) || isBeneath(directory, dir),
  )
  return clash === undefined
    ? undefined
    : `${dir} meets ${clash.directory}, which module ${clash.module} replicates`
}

/** Our own state beneath a replicated directory would be written by the replication of itself. */
function ownProblem(dir: string, { directories }: ModuleContext): string | undefined {
  const own = Object.values(directories).find((one) => isBeneath(one, dir) || isBeneath(dir, one))
  return own === undefined ? undefined : `${dir} holds files of Holdfast itself (${own})`
}

async function directoryProblem(dir: string): Promise<string | undefined> {
  try {
    const found = await lstat(dir)
    if (found.isSymbolicLink()) return `${dir} is a symbolic link; write the directory it leads to`
    if (!found.isDirectory()) return `${dir} is not a directory`
    const real = await realpath(dir)
    if (real !== dir) return `${dir} leads through a symbolic link; write ${real}`
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    switch (errnoOf(error)) {
      case 'ENOENT':
        return `${dir} does not exist on this node; create it: mkdir -p ${dir}`
      case 'ENOTDIR':
        return `a part of ${dir} is not a directory`
      case 'ENOTCONN':
        return `${dir} is covered by a dead mount; remove it: umount -l ${dir}`
      case 'EROFS':
        return `${dir} is on a read-only file system`
      case 'EACCES':
      case 'ELOOP':
      case 'EIO':
      case 'ENAMETOOLONG':
        return `${dir} can't be used: ${errnoOf(error)}`
      default:
        throw error
    }
  }
}

const networkTypes = /^(nfs4?|cifs|smb3?|smbfs|ceph|9p|afs|gfs2|ocfs2|lustre|glusterfs|virtiofs)$/
const kernelTypes =
  /^(proc|sysfs|devtmpfs|devpts|cgroup2?|debugfs|tracefs|securityfs|configfs|bpf|mqueue|hugetlbfs|efivarfs|pstore|autofs|ramfs)$/
const weakTypes = /^(vfat|exfat|msdos|ntfs3?|hfs(plus)?|udf)$/
/** A file there has another device number than its directory, as if it lay on a mount of its own; lookups would fail. */
const layeredTypes = /^(overlay|aufs|unionfs)$/
const frozenTypes = /^(iso9660|squashfs|erofs|cramfs|romfs)$/
const knownTypes = /^(ext[234]|xfs|btrfs|f2fs|zfs|bcachefs|tmpfs)$/

export function mountProblem(dir: string, mounts: readonly Mount[]): string | undefined {
  if (mountsOn(mounts, dir).some(isOurs)) return `${dir} is being replicated at this moment`
  const beneath = mountsBeneath(mounts, dir)[0]
  if (beneath !== undefined) {
    return `${beneath.point} is a mount inside ${dir}; its content would not be replicated`
  }
  const mount = mountOf(mounts, dir)
  if (mount === undefined) return undefined
  const { type } = mount
  if (networkTypes.test(type)) return `${dir} is on a network file system (${type})`
  if (kernelTypes.test(type)) return `${dir} is on a file system of the kernel (${type})`
  if (type.startsWith('fuse')) return `${dir} is on a FUSE file system (${type})`
  if (weakTypes.test(type)) return `${dir} is on ${type}, which has no owners, modes or links`
  if (layeredTypes.test(type)) {
    return `${dir} is on ${type}, the layers of a container; use a directory on a disk's own file system (a volume)`
  }
  const isReadOnly = mount.options.includes('ro') || mount.superOptions.includes('ro')
  return isReadOnly || frozenTypes.test(type) ? `${dir} is on a read-only file system` : undefined
}

function ruleProblems(rules: readonly ExclusionRule[], path: string): readonly Finding[] {
  return rules.flatMap((rule, index) => {
    const message = ruleProblem(rule)
    return message === undefined ? [] : [{ path: `${path}/${String(index)}`, message }]
  })
}

async function toCheckProblems(
  dir: string,
  tocheck: readonly { readonly path: string }[],
  path: string,
): Promise<readonly Finding[]> {
  const problems: Finding[] = []
  for (const [index, one] of tocheck.entries()) {
    const where = path.replace(/dir$/, `tocheck/${String(index)}/path`)
    const absolute = toCheckPath(dir, one.path)
    if (absolute === undefined) {
      problems.push({ path: where, message: `"${one.path}" is not beneath ${dir}` })
    } else if (!(await exists(absolute))) {
      problems.push({ path: where, message: `${absolute} does not exist on this node` })
    }
  }
  return problems
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) return false
    throw error
  }
}

async function doubts(dir: string, mounts: readonly Mount[]): Promise<readonly string[]> {
  const found: string[] = []
  if ((await readdir(dir)).length > 0) {
    found.push(
      `${dir} is not empty: when this node joins as the secondary, its content is made equal to the primary's`,
    )
  }
  const type = mountOf(mounts, dir)?.type ?? 'unknown'
  if (type === 'tmpfs') found.push(`${dir} is in memory (tmpfs): it is empty after a reboot`)
  else if (!knownTypes.test(type)) found.push(`${dir} is on ${type}, which was not tried yet`)
  const { bavail, blocks, ffree, files } = await statfs(dir)
  if (blocks > 0 && bavail === 0) found.push(`the file system of ${dir} is full`)
  if (files > 0 && ffree === 0) found.push(`the file system of ${dir} has no free inodes`)
  return found
}

async function nodeProblems(context: ModuleContext): Promise<readonly string[]> {
  const problems: string[] = []
  if (!(await exists('/dev/fuse'))) {
    problems.push('/dev/fuse does not exist on this node; load the module: modprobe fuse')
  }
  const port = portOf(context.id)
  if (await isTaken(port)) {
    problems.push(
      `TCP port ${String(port)}, on which the module replicates, is in use on this node`,
    )
  }
  return problems
}

/** Without IPv6 in the kernel `::` can't be bound: then the IPv4 wildcard is what counts. */
async function isTaken(port: number): Promise<boolean> {
  const first = await listenOnce(port, '::')
  const errno = first === 'EAFNOSUPPORT' || first === 'EADDRNOTAVAIL'
  return (errno ? await listenOnce(port, '0.0.0.0') : first) === 'EADDRINUSE'
}

function listenOnce(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => {
      resolve(errnoOf(error))
    })
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve('')
      })
    })
  })
}
