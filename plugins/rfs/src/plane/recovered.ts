/**
 * The names of a tree by inode number, for a data plane that goes on where another one died: the kernel still uses the
 * numbers that were told by that one. The tree itself is the only record of them that is never out of date.
 */
import { HoldfastError } from '@holdfast/sdk'
import { MODE, O, RESOLVE, close, cstring, errnoName, openat2 } from './libc.js'
import { kindOf } from './resync/kind.js'
import { namesOf } from './resync/tree.js'

/** The root of a volume, as the kernel numbers it. */
const ROOT = 1
const DIRECTORY_FLAGS = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC
const BENEATH = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_XDEV

export interface FoundName {
  /** Node id of the directory. */
  readonly parent: number
  readonly name: string
  /** File type bits of the mode. */
  readonly type: number
}

export class RecoveredNames {
  readonly #first = new Map<number, FoundName>()
  /** Of files with several links. */
  readonly #others = new Map<number, FoundName[]>()

  /** Reads all directories beneath the root: about a second for a million names that are in memory. */
  constructor(root: number) {
    // A descriptor of its own: the position of the root's belongs to the kernel's readers.
    const fd = openat2(root, cstring('.'), DIRECTORY_FLAGS, 0, BENEATH)
    if (fd < 0) throw walkError('the root', fd)
    this.#walk(fd, ROOT)
  }

  /** All names of this inode; they are known to whoever asked from now on, and no longer here. */
  take(id: number): readonly FoundName[] {
    const first = this.#first.get(id)
    if (first === undefined) return []
    const others = this.#others.get(id) ?? []
    this.#first.delete(id)
    this.#others.delete(id)
    return [first, ...others]
  }

  #walk(directory: number, id: number): void {
    const beneath: { readonly name: string; readonly inode: number }[] = []
    for (const { name, inode, type } of namesOf(directory, '')) {
      const found = kindOf(directory, name, type) << 12
      this.#add(inode, { parent: id, name, type: found })
      if (found === MODE.DIRECTORY) beneath.push({ name, inode })
    }
    for (const { name, inode } of beneath) {
      const fd = openat2(directory, cstring(name), DIRECTORY_FLAGS, 0, BENEATH)
      // Something is mounted there: it is not replicated, and the kernel was never told about it.
      if (fd >= 0) this.#walk(fd, inode)
    }
    close(directory)
  }

  #add(inode: number, found: FoundName): void {
    if (!this.#first.has(inode)) {
      this.#first.set(inode, found)
      return
    }
    const others = this.#others.get(inode)
    if (others === undefined) this.#others.set(inode, [found])
    else others.push(found)
  }
}

function walkError(what: string, error: number): HoldfastError {
  return new HoldfastError('E_RFS_RECOVER', `${what} can't be read: ${errnoName(error)}`)
}
