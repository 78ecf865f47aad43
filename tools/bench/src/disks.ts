/** The disk of a node that all sides share, so that the only difference between them is the replication. */
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Host, mustRun } from '@holdfast/lab'
import type { DiskKind } from './options.js'

/** Where the disk is in each node. */
export const diskDirectory = '/srv/bench'
/** The same file system once more: what is mounted over a directory of `diskDirectory` is not mounted here. */
export const beneathDirectory = '/srv/beneath'
/** Sparse: only what was ever written takes memory. */
const diskBytes = 6 * 1024 ** 3

export const diskTitles: Readonly<Record<DiskKind, string>> = {
  memory: 'ext4 on a memory-backed block device in each node',
  tmpfs: 'tmpfs in each node',
  plain: "one directory of this machine's disk for each node",
}

/** Of a disk in memory. */
interface DiskSize {
  readonly bytes: number
  /** Undefined: as many as ext4 chooses for its size. */
  readonly inodes?: number
}

/** Gives a node its disk. It goes away with the node's mount namespace. */
export async function mountDisk(
  node: Host,
  kind: DiskKind,
  { bytes, inodes }: DiskSize = { bytes: diskBytes },
): Promise<void> {
  await node.mustRun(['mkdir', '-p', diskDirectory, beneathDirectory])
  if (kind === 'memory') {
    const image = imageOf(node)
    await writeFile(image, '')
    await truncate(image, bytes)
    // Tables and journal are written now; else the kernel would do it while something is measured.
    const now = 'lazy_itable_init=0,lazy_journal_init=0'
    const count = inodes === undefined ? [] : ['-N', String(inodes)]
    await mustRun('mkfs.ext4', ['-q', '-m', '0', '-E', now, ...count, image])
    await mountImage(node)
  }
  await node.mustRun(['mount', '--bind', diskDirectory, beneathDirectory])
}

function imageOf(node: Host): string {
  return join(node.directory, 'bench.ext4')
}

async function mountImage(node: Host): Promise<void> {
  const command = ['mount', '-t', 'ext4', '-o', 'loop,noatime', imageOf(node), diskDirectory]
  await node.mustRun(command)
}

/** A disk in memory that nobody uses is mounted anew: its file system has nothing in the caches. */
export async function forgetCaches(node: Host): Promise<void> {
  await settleDisk(node)
  await node.mustRun(['umount', beneathDirectory, diskDirectory], { timeoutMs: 120_000 })
  await mountImage(node)
  await node.mustRun(['mount', '--bind', diskDirectory, beneathDirectory])
}

/** Writes back what is dirty, so that no side pays for what another one left behind. */
export async function settleDisk(node: Host): Promise<void> {
  await node.mustRun(['sync', '-f', beneathDirectory], { timeoutMs: 120_000 })
}
