/**
 * Finds a name of a file by its inode number: all names that were known are gone, but links are left that nobody
 * looked up since the mount. Rare, and the loop waits for it: reading all directories of a million files takes about a second.
 */
import { MODE, addressOf, close, getdents64, openat, O } from '../libc.js'
import { nameAddress, type Node } from '../nodes.js'
import type { Volume } from '../volume.js'

const DENTS_BYTES = 256 * 1024
const TYPE_DIRECTORY = 4
const dents = Buffer.alloc(DENTS_BYTES)
const dentsAddress = addressOf(dents)

/** True: the node has a name now. */
export function findName(volume: Volume, node: Node): boolean {
  const waiting: Node[] = [volume.table.root]
  const passing: Node[] = []
  let found = false
  for (let at = waiting.pop(); at !== undefined && !found; at = waiting.pop()) {
    found = searchDirectory(volume, at, node, waiting)
    passing.push(at)
  }
  // Directories that nobody else knows leave the table again; children were added after their parents.
  for (const one of [...passing, ...waiting].reverse()) volume.table.dropIfUnused(one)
  return found
}

function searchDirectory(volume: Volume, directory: Node, wanted: Node, waiting: Node[]): boolean {
  const parent = volume.table.descriptor(directory)
  const flags = O.RDONLY | O.DIRECTORY | O.CLOEXEC
  // A descriptor of its own: the position of the node's descriptor belongs to the kernel's readers.
  const fd = parent < 0 ? parent : openat(parent, nameAddress('.'), flags, 0)
  if (fd < 0) return false
  let found = false
  for (let got = 1; got > 0 && !found;) {
    got = getdents64(fd, dentsAddress, DENTS_BYTES)
    for (let from = 0; from < got && !found; from += dents.readUInt16LE(from + 16)) {
      found = consider(volume, directory, from, wanted, waiting)
    }
  }
  close(fd)
  return found
}

function consider(
  volume: Volume,
  directory: Node,
  from: number,
  wanted: Node,
  waiting: Node[],
): boolean {
  const name = dents.toString('latin1', from + 19, dents.indexOf(0, from + 19))
  if (name === '.' || name === '..') return false
  const inode = dents.readUInt32LE(from) + dents.readUInt32LE(from + 4) * 0x1_0000_0000
  if (inode === wanted.id) {
    volume.table.addName(wanted, directory, name)
    return true
  }
  if (dents.readUInt8(from + 18) !== TYPE_DIRECTORY) return false
  const child = volume.table.obtain(inode, MODE.DIRECTORY)
  volume.table.addName(child, directory, name)
  waiting.push(child)
  return false
}
