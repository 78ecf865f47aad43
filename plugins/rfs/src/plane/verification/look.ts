/** Looks at one name beneath a root, on either side: what it is, what it holds. Nothing is followed, nothing is changed. */
import { hash } from 'node:crypto'
import { AT, E, MODE, O, close, cstring, openat, readahead, readlinkat, selfPath } from '../libc.js'
import { nameOf, parentOf } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import { attributesOf } from '../resync/attributes.js'
import { Printer } from '../resync/content.js'
import { TreeError, isAbsent, must, openDirectory } from '../resync/tree.js'
import { StatBuffer } from '../stat.js'
import { PIECE_BYTES, type Facts } from './messages.js'

export interface Looked extends Facts {
  readonly inode: number
  readonly links: number
}

const stat = new StatBuffer()
const link = Buffer.alloc(4096)
const printer = new Printer(PIECE_BYTES)
const ZEROS = Buffer.alloc(PIECE_BYTES)
const HASH_OF_ZEROS = hash('sha256', ZEROS, 'buffer')
const PATH_FLAGS = O.PATH | O.NOFOLLOW | O.CLOEXEC
const READ_FLAGS = O.RDONLY | O.NONBLOCK | O.CLOEXEC
/** The disk is asked for so much in advance, each time when so much was read. */
const AHEAD_BYTES = 512 * 1024

/** What is under this name; undefined: nothing. Throws TreeError when that can't be told. */
export function look(root: number, path: BytePath): Looked | undefined {
  return withName(root, path, PATH_FLAGS, (fd) => {
    const attributes = attributesOf(fd, path)
    must(stat.ofDescriptor(fd), 'stat', path)
    const type = stat.mode & MODE.TYPE
    const isDevice = type === MODE.BLOCK || type === MODE.CHARACTER
    return {
      ...attributes,
      inode: stat.inode,
      links: stat.links,
      size: type === MODE.FILE ? stat.size : 0,
      rdevMajor: isDevice ? stat.rdevMajor : 0,
      rdevMinor: isDevice ? stat.rdevMinor : 0,
      target: type === MODE.LINK ? targetOf(fd, path) : '',
    }
  })
}

/** Works with the regular file under this name; undefined when there is none. `size`: of the file. */
export function withFile<T>(
  root: number,
  path: BytePath,
  run: (fd: number, size: number) => T,
  access: number = READ_FLAGS,
): T | undefined {
  return withName(root, path, PATH_FLAGS, (found) => {
    must(stat.ofDescriptor(found), 'stat', path)
    // Opening a device or a pipe has effects.
    if ((stat.mode & MODE.TYPE) !== MODE.FILE) return undefined
    const { size } = stat
    const fd = must(openat(AT.FDCWD, selfPath(found), access, 0), 'open', path)
    try {
      return run(fd, size)
    } finally {
      close(fd)
    }
  })
}

/** Works with the directory that holds a name. Undefined: there is none. */
export function withParent<T>(
  root: number,
  path: BytePath,
  run: (directory: number) => T,
): T | undefined {
  const directory = openDirectory(root, parentOf(path))
  if (isAbsent(directory)) return undefined
  must(directory, 'open', parentOf(path))
  try {
    return run(directory)
  } finally {
    close(directory)
  }
}

/** The hash of a piece as a reader sees it: holes are zeros. `offset` is a multiple of the piece. */
export function hashOf(fd: number, offset: number, length: number, path: BytePath): Buffer {
  if (offset % AHEAD_BYTES === 0) readahead(fd, offset + AHEAD_BYTES, AHEAD_BYTES)
  const { dataBytes, hash: found } = printer.print(fd, offset / PIECE_BYTES, offset + length, path)
  if (dataBytes > 0) return found
  return length === PIECE_BYTES
    ? HASH_OF_ZEROS
    : hash('sha256', ZEROS.subarray(0, length), 'buffer')
}

function withName<T>(
  root: number,
  path: BytePath,
  flags: number,
  run: (fd: number) => T,
): T | undefined {
  return withParent(root, path, (directory) => {
    const fd = openat(directory, cstring(path === '' ? '.' : nameOf(path)), flags, 0)
    if (isAbsent(fd)) return undefined
    must(fd, 'open', path)
    try {
      return run(fd)
    } finally {
      close(fd)
    }
  })
}

function targetOf(fd: number, path: BytePath): BytePath {
  const size = readlinkat(fd, cstring(''), link, link.length)
  if (size === link.length) throw new TreeError('read the link', path, E.NAMETOOLONG)
  return link.toString('latin1', 0, must(size, 'read the link', path))
}
