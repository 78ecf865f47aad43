/**
 * Reading a tree through directory descriptors: names as byte strings, paths of any length, extended attributes,
 * and where a file has data. Nothing here follows a symbolic link or leaves the root it was given.
 */
import {
  E,
  O,
  RESOLVE,
  SEEK,
  addressOf,
  close,
  cstring,
  errnoName,
  flistxattr,
  getdents64,
  getxattr,
  listxattr,
  lseek,
  openat2,
  selfPath,
} from '../libc.js'
import { printable } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'

/** A system call that failed where the whole copy can't go on: what was done, to which path, and why not. */
export class TreeError extends Error {
  constructor(
    readonly doing: string,
    readonly path: BytePath,
    readonly errno: number,
  ) {
    super(`${doing} ${printable(path)}: ${errnoName(errno)}`)
    this.name = 'TreeError'
  }
}

/** Throws TreeError for a negative result; returns the others. */
export function must(result: number, doing: string, path: BytePath): number {
  if (result < 0) throw new TreeError(doing, path, -result)
  return result
}

/** Does this result say that there is no such file, or none of the kind that was wanted? */
export function isAbsent(result: number): boolean {
  return ABSENT.includes(-result)
}

const ABSENT: readonly number[] = [E.NOENT, E.NOTDIR, E.LOOP]

/** One system call takes paths shorter than PATH_MAX (4,096); longer ones are walked in pieces. */
const PIECE_MAX = 3_500
const BENEATH = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_XDEV
const DIRECTORY_FLAGS = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC

/** Opens a directory beneath the root. Returns a new descriptor, or -errno. */
export function openDirectory(root: number, path: BytePath): number {
  let directory = openat2(root, cstring('.'), DIRECTORY_FLAGS, 0, BENEATH)
  for (const piece of piecesOf(path)) {
    if (directory < 0) return directory
    const next = openat2(directory, cstring(piece), DIRECTORY_FLAGS, 0, BENEATH)
    close(directory)
    directory = next
  }
  return directory
}

function piecesOf(path: BytePath): BytePath[] {
  if (path === '') return []
  if (path.length <= PIECE_MAX) return [path]
  const pieces: BytePath[] = []
  let rest = path
  while (rest.length > PIECE_MAX) {
    const cut = rest.lastIndexOf('/', PIECE_MAX)
    pieces.push(rest.slice(0, cut))
    rest = rest.slice(cut + 1)
  }
  pieces.push(rest)
  return pieces
}

/** One name of a directory, with what the directory itself tells about it. */
export interface Name {
  readonly name: BytePath
  readonly inode: number
  /** DT_DIR and the like; 0 when the file system does not tell. */
  readonly type: number
}

export const DT = { UNKNOWN: 0, DIRECTORY: 4, FILE: 8 } as const
const listing = Buffer.alloc(256 * 1024)

/**
 * All names of a directory, in the order of the directory, without `.` and `..`. `into`: how much is read at once, for a
 * caller who may not take long.
 */
export function* namesOf(directory: number, path: BytePath, into = listing): Generator<Name> {
  for (const names of listingsOf(directory, path, into)) yield* names
}

/** The same, as many names at once as one reading gives: a directory of a million names never is in memory as a whole. */
export function* listingsOf(directory: number, path: BytePath, into = listing): Generator<Name[]> {
  // The buffer is shared by all walks, so each filling is decoded before anything is yielded.
  lseek(directory, 0, SEEK.SET)
  for (;;) {
    const size = getdents64(directory, into, into.length)
    // A directory that an application removes meanwhile has no more names: a key of its own says so.
    if (size === 0 || size === -E.NOENT) return
    must(size, 'list', path)
    yield decodeNames(into, size)
  }
}

/** A disk that must be read has its inodes in the order of their numbers, and mostly the content too. */
export function inDiskOrder(names: Name[]): Name[] {
  return names.sort((a, b) => a.inode - b.inode)
}

function decodeNames(listing: Buffer, size: number): Name[] {
  const names: Name[] = []
  for (let at = 0; at < size; at += listing.readUInt16LE(at + 16)) {
    const inode = listing.readUInt32LE(at + 4) * 0x1_0000_0000 + listing.readUInt32LE(at)
    const end = listing.indexOf(0, at + 19)
    const name = listing.toString('latin1', at + 19, end)
    if (name !== '.' && name !== '..') {
      names.push({ name, inode, type: listing.readUInt8(at + 18) })
    }
  }
  return names
}

/**
 * XFS shows an access list a second time, under a name and in a form of its own. Another file system has no such attribute: taken away
 * on the XFS of the other side it would take the access list with it, and written elsewhere it would override a newer list later.
 */
const SECOND_VIEW = /^trusted\.SGI_ACL_(FILE|DEFAULT)$/

/** Extended attributes, sorted by name. Values are bytes as byte strings. */
export type Xattrs = readonly (readonly [name: string, value: string])[]

export const NO_XATTRS: Xattrs = []
const attributeNames = Buffer.alloc(64 * 1024)
const attributeNamesAddress = addressOf(attributeNames)
const attributeValue = Buffer.alloc(64 * 1024)

/** All attributes of one file together: they travel in one message. */
const ATTRIBUTES_BYTES_MAX = 1024 * 1024

/** Attributes of the file behind a descriptor, which may be one of O_PATH. Those that vanish meanwhile are left out. */
export function xattrsOf(fd: number, path: BytePath): Xattrs {
  const direct = flistxattr(fd, attributeNamesAddress, attributeNames.length)
  if (direct === 0) return NO_XATTRS
  const self = selfPath(fd)
  // A descriptor of O_PATH is refused; its path in /proc is not, which costs twice as much.
  const size =
    direct === -E.BADF ? listxattr(self, attributeNamesAddress, attributeNames.length) : direct
  if (size === 0 || size === -E.OPNOTSUPP) return NO_XATTRS
  must(size, 'list the attributes of', path)
  const found: [string, string][] = []
  let bytes = 0
  for (const name of attributeNames.toString('latin1', 0, size - 1).split('\0')) {
    if (SECOND_VIEW.test(name)) continue
    const length = getxattr(self, cstring(name), attributeValue, attributeValue.length)
    if (length === -E.NODATA || length === -E.OPNOTSUPP) continue
    must(length, `read the attribute ${name} of`, path)
    bytes += name.length + length
    if (bytes > ATTRIBUTES_BYTES_MAX) throw new TreeError('keep the attributes of', path, E.RANGE)
    found.push([name, attributeValue.toString('latin1', 0, length)])
  }
  return found.sort((a, b) => (a[0] < b[0] ? -1 : 1))
}

/** Where the next data begins at or after `offset`; `end` when there is none before it. */
export function nextData(fd: number, offset: number, end: number): number {
  if (offset >= end) return end
  const found = lseek(fd, offset, SEEK.DATA)
  if (found === -E.NXIO) return end
  // A file system that can't tell has data everywhere.
  return found < 0 ? offset : Math.min(found, end)
}

/** Where the data at `offset` ends: the next hole, or `end`. */
export function nextHole(fd: number, offset: number, end: number): number {
  if (offset >= end) return end
  const found = lseek(fd, offset, SEEK.HOLE)
  return found < 0 ? end : Math.min(found, end)
}

/** How many of the bytes in [from, to) are data and not holes. */
export function dataBytesIn(fd: number, from: number, to: number): number {
  let total = 0
  for (let at = nextData(fd, from, to); at < to; at = nextData(fd, at, to)) {
    const end = nextHole(fd, at, to)
    total += end - at
    at = end
  }
  return total
}
