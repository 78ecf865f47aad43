/** Brings one file that was set aside back, whole or not at all. */
import { randomBytes } from 'node:crypto'
import {
  copyFile,
  link,
  lutimes,
  lchown,
  mkdir,
  open,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  chmod,
  lstat,
} from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'
import { isBeneath } from '../driver/settings.js'

export interface Restoration {
  /** Names are any bytes. */
  readonly from: Buffer
  readonly to: Buffer
  /** Whoever is restored into a replicated directory must stay in it: a link on the way could lead out. */
  readonly within: string | undefined
  readonly overwrite: boolean
}

/** Throws E_RFS_EXISTS when something is there and may not be replaced. */
export async function restore({ from, to, within, overwrite }: Restoration): Promise<void> {
  const parent = parentOf(to)
  // Asked before anything is made: a link on the way could lead out.
  const real = await nearestExisting(parent)
  if (within !== undefined && !isBeneath(real, await realpath(within))) {
    throw new HoldfastError('E_RFS_OUTSIDE', `${String(to)} leads out of ${within}`, {
      hint: 'give another place with --to',
    })
  }
  await mkdir(parent, { recursive: true })
  const suffix = randomBytes(6).toString('hex')
  const temporary = Buffer.concat([parent, Buffer.from(`/.holdfast-restore-${suffix}`)])
  try {
    await place(from, temporary)
    if (overwrite) await rename(temporary, to)
    else await link(temporary, to)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown
    throw new HoldfastError('E_RFS_EXISTS', `${String(to)} is there already`, {
      hint: 'look at it first; --overwrite replaces it, --to writes elsewhere',
      cause: thrown,
    })
  } finally {
    await rm(temporary, { force: true })
  }
}

function parentOf(path: Buffer): Buffer {
  return Buffer.from(path.toString('latin1').replace(/\/[^/]*$/, '') || '/', 'latin1')
}

/** The real path of what is there of a path. */
async function nearestExisting(path: Buffer): Promise<string> {
  try {
    return await realpath(path)
  } catch (thrown) {
    const isMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
    if (!isMissing) throw thrown
    return nearestExisting(parentOf(path))
  }
}

async function place(from: Buffer, to: Buffer): Promise<void> {
  const found = await lstat(from)
  if (found.isSymbolicLink()) {
    await symlink(await readlink(from, { encoding: 'buffer' }), to)
  } else {
    await copyFile(from, to)
    await chmod(to, (await stat(from)).mode & 0o7777)
  }
  await lchown(to, found.uid, found.gid)
  await lutimes(to, found.atime, found.mtime)
  if (found.isSymbolicLink()) return
  const handle = await open(to, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
