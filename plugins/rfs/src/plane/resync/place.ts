/** The target's side of one name: makes it the right kind of file, linked to what it must be, ready for its content. */
import {
  E,
  MODE,
  O,
  close,
  cstring,
  linkat,
  makedev,
  mkdirat,
  mknodat,
  openat,
  readlinkat,
  symlinkat,
} from '../libc.js'
import { StatBuffer } from '../stat.js'
import { MalformedError } from '../journal/bytes.js'
import { nameOf, parentOf } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import { applyAttributes } from './attributes.js'
import { STATE, type Entry } from './messages.js'
import { removeName } from './remove.js'
import type { TargetVolume } from './target.js'
import { isAbsent, must, openDirectory } from './tree.js'

export interface Placed {
  readonly state: number
  /** A regular file whose content and attributes come later: open for writing, with the size it had. */
  readonly file?: { readonly fd: number; readonly size: number }
}

/** What is there under the name. */
interface Present {
  readonly type: number
  readonly inode: number
  readonly links: number
  readonly size: number
}

const stat = new StatBuffer()
const other = new StatBuffer()
const link = Buffer.alloc(4096)
const NEW_MODE = 0o600
const NEW_DIRECTORY_MODE = 0o700
const PATH_FLAGS = O.PATH | O.NOFOLLOW | O.CLOEXEC
// Comparing changes no times of access: each would be written to the disk.
const FILE_FLAGS = O.RDWR | O.NOFOLLOW | O.NONBLOCK | O.NOATIME | O.CLOEXEC

export class Placer {
  readonly #name: Buffer
  readonly #type: number

  constructor(
    readonly volume: TargetVolume,
    readonly directory: number,
    readonly path: BytePath,
    readonly entry: Entry,
  ) {
    this.#name = cstring(entry.name)
    this.#type = entry.mode & MODE.TYPE
  }

  place(): Placed {
    const present = this.#present()
    if (this.#type === MODE.DIRECTORY) return this.#placeDirectory(present)
    if (this.entry.links > 1 && this.#isOrBecomesLink(present)) return this.#placeLink()
    const kept = present !== undefined && this.#canKeep(present)
    if (!kept && present !== undefined) removeName(this.volume, this.directory, this.path)
    if (this.#type === MODE.FILE) return this.#placeFile(kept ? present : undefined)
    if (!kept) this.#create()
    const fd = must(openat(this.directory, this.#name, PATH_FLAGS, 0), 'open', this.path)
    try {
      this.#remember(fd, kept ? present : undefined)
      applyAttributes(fd, this.entry, this.path)
    } finally {
      close(fd)
    }
    return { state: kept ? STATE.kept : STATE.made }
  }

  #present(): Present | undefined {
    const found = stat.ofName(this.directory, this.#name)
    if (found === -E.NOENT) return undefined
    must(found, 'stat', this.path)
    const { inode, links, size } = stat
    return { type: stat.mode & MODE.TYPE, inode, links, size }
  }

  #placeDirectory(present: Present | undefined): Placed {
    const kept = present?.type === MODE.DIRECTORY
    if (!kept) {
      if (present !== undefined) removeName(this.volume, this.directory, this.path)
      must(mkdirat(this.directory, this.#name, NEW_DIRECTORY_MODE), 'create', this.path)
    }
    if (!this.entry.visited) {
      const fd = must(openat(this.directory, this.#name, PATH_FLAGS, 0), 'open', this.path)
      try {
        applyAttributes(fd, this.entry, this.path)
      } finally {
        close(fd)
      }
    }
    return { state: kept ? STATE.kept : STATE.made }
  }

  /** True when the file was named before in this round, and this name is now a link of it. */
  #isOrBecomesLink(present: Present | undefined): boolean {
    const first = this.volume.links.nameOf(this.entry.inode)
    if (first === undefined) return false
    const directory = openDirectory(this.volume.root, parentOf(first))
    if (isAbsent(directory)) return false
    must(directory, 'open', parentOf(first))
    try {
      const name = cstring(nameOf(first))
      const found = other.ofName(directory, name)
      if (isAbsent(found)) return false
      must(found, 'stat', first)
      if ((other.mode & MODE.TYPE) !== this.#type) return false
      if (present?.inode === other.inode) return true
      if (present !== undefined) removeName(this.volume, this.directory, this.path)
      must(linkat(directory, name, this.directory, this.#name, 0), 'link', this.path)
      return true
    } finally {
      close(directory)
    }
  }

  /** The content comes under the name that was met first, unless a key wants more of it under this one. */
  #placeLink(): Placed {
    const { entry, directory } = this
    const file = this.#type === MODE.FILE
    if (!file || !this.volume.links.wants(entry.inode, entry.content)) {
      return { state: STATE.linked }
    }
    const fd = must(openat(directory, this.#name, FILE_FLAGS, 0), 'open for writing', this.path)
    must(stat.ofDescriptor(fd), 'stat', this.path)
    return { state: STATE.kept, file: { fd, size: stat.size } }
  }

  #canKeep(present: Present): boolean {
    const { entry } = this
    if (present.type !== this.#type) return false
    if (this.volume.links.isClaimedByAnother(present.inode, entry.inode)) return false
    if (this.#type === MODE.LINK) {
      const size = readlinkat(this.directory, this.#name, link, link.length)
      return link.toString('latin1', 0, must(size, 'read the link', this.path)) === entry.target
    }
    if (this.#type !== MODE.BLOCK && this.#type !== MODE.CHARACTER) return true
    return stat.rdevMajor === entry.rdevMajor && stat.rdevMinor === entry.rdevMinor
  }

  #create(): void {
    const { entry, directory } = this
    if (this.#type === MODE.LINK) {
      const made = symlinkat(cstring(entry.target), directory, this.#name)
      must(made, 'create the link', this.path)
      return
    }
    if (!NODE_TYPES.includes(this.#type)) {
      throw new MalformedError(`${entry.mode} is no mode of a file`)
    }
    const device = makedev(entry.rdevMajor, entry.rdevMinor)
    must(mknodat(directory, this.#name, this.#type | NEW_MODE, device), 'create', this.path)
  }

  #placeFile(kept: Present | undefined): Placed {
    const flags = kept === undefined ? FILE_FLAGS | O.CREAT | O.EXCL : FILE_FLAGS
    const opened = openat(this.directory, this.#name, flags, NEW_MODE)
    const fd = must(opened, kept === undefined ? 'create' : 'open for writing', this.path)
    this.#remember(fd, kept)
    const { links } = this.volume
    if (kept === undefined && this.entry.links > 1) links.wantWhole(this.entry.inode)
    if (kept !== undefined && this.entry.links > 1)
      links.wants(this.entry.inode, this.entry.content)
    const state = kept === undefined ? STATE.made : STATE.kept
    return { state, file: { fd, size: kept?.size ?? 0 } }
  }

  /** Notes which source file this target file is, wherever one of the two has several names. */
  #remember(fd: number, kept: Present | undefined): void {
    const { links } = this.volume
    if (kept === undefined && this.entry.links === 1) {
      must(stat.ofDescriptor(fd), 'stat', this.path)
      links.release(stat.inode)
      return
    }
    if (this.entry.links === 1 && (kept?.links ?? 1) === 1) return
    must(stat.ofDescriptor(fd), 'stat', this.path)
    links.claim(stat.inode, this.entry.inode)
    if (this.entry.links > 1) links.name(this.entry.inode, this.path)
    if (kept !== undefined && kept.links > 1) this.volume.onLinked(stat.inode)
  }
}

const NODE_TYPES: readonly number[] = [MODE.FIFO, MODE.SOCKET, MODE.BLOCK, MODE.CHARACTER]
