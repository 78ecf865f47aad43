/** Removing what must not be there: one name, or a whole tree of any depth. */
import { AT, E, MODE, close, cstring, unlinkat } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { join, nameOf, parentOf } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import { must, namesOf, openDirectory } from './tree.js'

const stat = new StatBuffer()

export interface Removal {
  /** The root of the volume. */
  readonly root: number
  /** Told about each file that keeps other names: what they hold is not known to be right any more. */
  onLinked(inode: number): void
  /** Called before a name goes away that is no directory. */
  onRemove(directory: number, path: BytePath): void
  /** Called again and again: a large tree takes longer than the peer is patient. */
  onStep(): void
}

/** Removes a name of an open directory, with everything beneath it. A name that is not there is fine. */
export function removeName(removal: Removal, directory: number, path: BytePath): void {
  const name = cstring(nameOf(path))
  const found = stat.ofName(directory, name)
  if (found === -E.NOENT) return
  must(found, 'stat', path)
  if ((stat.mode & MODE.TYPE) === MODE.DIRECTORY) removeTree(removal, path)
  else unlink(removal, directory, name, path)
}

/** Depth first, without recursion and with one open directory at a time: a tree may be deeper than any stack. */
function removeTree(removal: Removal, top: BytePath): void {
  const stack = [top]
  for (let path = stack.at(-1); path !== undefined; path = stack.at(-1)) {
    const below = emptyOfFiles(removal, path)
    for (const each of below) stack.push(each)
    if (below.length === 0) {
      removeDirectory(removal.root, path)
      stack.pop()
    }
  }
}

/** Unlinks everything but directories; returns the directories that are left. */
function emptyOfFiles(removal: Removal, path: BytePath): BytePath[] {
  const directory = must(openDirectory(removal.root, path), 'open', path)
  const below: BytePath[] = []
  try {
    // What was listed already may go meanwhile: a directory of a million names is never in memory as a whole.
    for (const { name } of namesOf(directory, path)) {
      removal.onStep()
      const entry = cstring(name)
      const each = join(path, name)
      must(stat.ofName(directory, entry), 'stat', each)
      if ((stat.mode & MODE.TYPE) === MODE.DIRECTORY) below.push(each)
      else unlink(removal, directory, entry, each)
    }
  } finally {
    close(directory)
  }
  return below
}

function removeDirectory(root: number, path: BytePath): void {
  const parent = must(openDirectory(root, parentOf(path)), 'open', parentOf(path))
  const removed = unlinkat(parent, cstring(nameOf(path)), AT.REMOVEDIR)
  close(parent)
  must(removed, 'remove', path)
}

/** `stat` holds what the name is. */
function unlink(removal: Removal, directory: number, name: Buffer, path: BytePath): void {
  if (stat.links > 1) removal.onLinked(stat.inode)
  removal.onRemove(directory, path)
  must(unlinkat(directory, name, 0), 'remove', path)
}
