/**
 * Changes of a tree, made with system calls. The server makes them for its applications, the follower after it:
 * the same code, so that the trees come out the same. Each returns a number >= 0, or -errno.
 */
import {
  AT,
  E,
  MODE,
  UTIME,
  addressOf,
  close,
  cstring,
  fchmodat,
  fchownat,
  ftruncate,
  futimens,
  linkat,
  mkdirat,
  mknodat,
  RENAME,
  openat,
  renameat2,
  O,
  selfPath,
  symlinkat,
  umask,
  unlinkat,
  utimensat,
  type Address,
} from './libc.js'
import { StatBuffer } from './stat.js'
import type { Descriptors } from './descriptors.js'
import { ATTRIBUTE, type Attributes, type Making } from './link/ops.js'

const stat = new StatBuffer()
const EMPTY = cstring('')

/**
 * Makes a directory, a symbolic link or a special file. The mask is the application's, because a default ACL of
 * the directory replaces it, and only the file system beneath knows that ACL.
 */
export function makeEntry(directory: number, name: Address, making: Making): number {
  const type = making.mode & MODE.TYPE
  umask(making.umask)
  const made = makeOne(directory, name, type, making)
  umask(0)
  if (made < 0) return made
  const given = giveTo(directory, name, making.uid, making.gid, 0)
  // Told as failed, and sent to nobody: it must not stay (its owner's quota may be used up).
  if (given < 0) unlinkat(directory, name, type === MODE.DIRECTORY ? AT.REMOVEDIR : 0)
  return given
}

/**
 * Makes a regular file, and opens it in the same call: what is made is written next. Returns the descriptor.
 * When too many are open, some of `descriptors` are closed: not the directory's, if the caller has pinned it.
 */
export function makeFile(
  directory: number,
  name: Address,
  making: Making,
  descriptors: Descriptors,
): number {
  const flags = O.CREAT | O.EXCL | O.RDWR | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC
  umask(making.umask)
  let fd = openat(directory, name, flags, making.mode & 0o7777)
  if (fd === -E.MFILE) {
    descriptors.evict(64)
    fd = openat(directory, name, flags, making.mode & 0o7777)
  }
  umask(0)
  if (fd < 0) return fd
  const given = giveTo(fd, EMPTY, making.uid, making.gid, AT.EMPTY_PATH)
  if (given >= 0) return fd
  close(fd)
  unlinkat(directory, name, 0)
  return given
}

function makeOne(directory: number, name: Address, type: number, making: Making): number {
  if (type === MODE.DIRECTORY) return mkdirat(directory, name, making.mode & 0o7777)
  if (type === MODE.LINK) return symlinkat(cstring(making.target), directory, name)
  return mknodat(directory, name, making.mode, making.rdev)
}

/** Renames, with the flags of renameat2. A whiteout that is left behind belongs to the caller, not to us. */
export function renameEntry(
  from: number,
  name: Address,
  to: number,
  newName: Address,
  move: { readonly flags: number; readonly uid: number; readonly gid: number },
): number {
  const done = renameat2(from, name, to, newName, move.flags)
  if (done < 0 || (move.flags & RENAME.WHITEOUT) === 0) return done
  return giveTo(from, name, move.uid, move.gid, 0)
}

/** Makes a file without a name in a directory; returns its descriptor. */
export function makeUnnamed(directory: number, making: Making): number {
  umask(making.umask)
  const fd = openat(directory, cstring('.'), O.TMPFILE | O.RDWR | O.CLOEXEC, making.mode & 0o7777)
  umask(0)
  if (fd >= 0) giveTo(fd, EMPTY, making.uid, making.gid, AT.EMPTY_PATH)
  return fd
}

/** Links a node under a further name: by its descriptor, which also works for one without any name. */
export function linkDescriptor(fd: number, directory: number, name: Address): number {
  return linkat(AT.FDCWD, selfPath(fd), directory, name, AT.SYMLINK_FOLLOW)
}

/** chown clears set-user-id and set-group-id; what is made with them keeps them. -1, -1: nothing to do. */
export function giveTo(
  directory: number,
  name: Address,
  uid: number,
  gid: number,
  flags: number,
): number {
  if (uid < 0 && gid < 0) return 0
  const before = flags === 0 ? stat.ofName(directory, name) : stat.ofDescriptor(directory)
  if (before < 0) return before
  const { mode } = stat
  const given = fchownat(directory, name, uid, gid, flags | AT.SYMLINK_NOFOLLOW)
  if (given < 0) return given
  const type = mode & MODE.TYPE
  if ((mode & 0o6000) === 0 || type === MODE.DIRECTORY || type === MODE.LINK) return 0
  return flags === 0
    ? fchmodat(directory, name, mode & 0o7777, 0)
    : fchmodat(AT.FDCWD, selfPath(directory), mode & 0o7777, 0)
}

const times = Buffer.alloc(32)
const timesView = new DataView(times.buffer, times.byteOffset, 32)
const timesAddress = addressOf(times)

/** Sets the modification time only. */
export function setMtime(fd: number, seconds: number, nanos: number): number {
  writeTime(0, 0, UTIME.OMIT)
  writeTime(16, seconds, nanos)
  return giveTimes(fd)
}

/** The path of a descriptor costs more than the change itself, but also reaches what was opened with O_PATH. */
function giveTimes(fd: number): number {
  const done = futimens(fd, timesAddress)
  return done === -E.BADF ? utimensat(AT.FDCWD, selfPath(fd), timesAddress, 0) : done
}

export interface AttributeStep {
  /** Of ATTRIBUTE: those that it sets. */
  readonly sets: number
  readonly set: (fd: number, a: Attributes) => number
}

/**
 * In the order in which they don't undo each other: the owner clears bits of the mode, the size sets a time. The size is first, because it
 * is what the file system may refuse: then nothing is done.
 */
export const ATTRIBUTE_STEPS: readonly AttributeStep[] = [
  { sets: ATTRIBUTE.SIZE, set: (fd, { size }) => ftruncate(fd, size) },
  // The path of a descriptor is a link that leads to the very inode: a symbolic link behind it is not followed.
  {
    sets: ATTRIBUTE.OWNER,
    set: (fd, { uid, gid }) => fchownat(AT.FDCWD, selfPath(fd), uid, gid, 0),
  },
  {
    sets: ATTRIBUTE.MODE,
    set: (fd, { mode }) => fchmodat(AT.FDCWD, selfPath(fd), mode & 0o7777, 0),
  },
  {
    sets: ATTRIBUTE.ATIME | ATTRIBUTE.MTIME,
    set: (fd, a) => {
      const has = (bit: number): boolean => (a.valid & bit) !== 0
      writeTime(0, a.atimeSeconds, has(ATTRIBUTE.ATIME) ? a.atimeNanos : UTIME.OMIT)
      writeTime(16, a.mtimeSeconds, has(ATTRIBUTE.MTIME) ? a.mtimeNanos : UTIME.OMIT)
      return giveTimes(fd)
    },
  },
]

/** Sets what `valid` says. When one of them fails, `valid` is left with those that were set before. */
export function setAttributes(fd: number, a: Attributes, steps = ATTRIBUTE_STEPS): number {
  let isSet = 0
  for (const { sets, set } of steps) {
    if ((a.valid & sets) === 0) continue
    const done = set(fd, a)
    if (done < 0) {
      a.valid = isSet
      return done
    }
    isSet |= a.valid & sets
  }
  return 0
}

function writeTime(at: number, seconds: number, nanos: number): void {
  timesView.setBigInt64(at, BigInt(seconds), true)
  timesView.setBigInt64(at + 8, BigInt(nanos), true)
}
