/** Reading the attributes of a file, and making another file have them with as few changes as possible. */
import {
  AT,
  UTIME,
  cstring,
  fchmodat,
  fchownat,
  MODE,
  removexattr,
  selfPath,
  setxattr,
  utimensat,
} from '../libc.js'
import { StatBuffer } from '../stat.js'
import type { BytePath } from '../resync-port.js'
import type { Attributes } from './messages.js'
import { must, xattrsOf } from './tree.js'

const stat = new StatBuffer()
const times = Buffer.alloc(32)

/** The attributes of the file behind a descriptor (also O_PATH). */
export function attributesOf(fd: number, path: BytePath): Attributes {
  must(stat.ofDescriptor(fd), 'stat', path)
  return {
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    mtimeSeconds: stat.mtimeSeconds,
    mtimeNanos: stat.mtimeNanos,
    xattrs: xattrsOf(fd, path),
  }
}

/**
 * Makes the file behind a descriptor (also O_PATH) have these attributes. Changes only what differs. The order matters: a change of
 * owner clears the set-user-id bits and capabilities, an ACL changes the mode, and everything changes times.
 */
export function applyAttributes(fd: number, wanted: Attributes, path: BytePath): void {
  must(stat.ofDescriptor(fd), 'stat', path)
  const link = (stat.mode & MODE.TYPE) === MODE.LINK
  if (stat.uid !== wanted.uid || stat.gid !== wanted.gid) {
    const changed = fchownat(fd, cstring(''), wanted.uid, wanted.gid, AT.EMPTY_PATH)
    must(changed, 'change the owner of', path)
    must(stat.ofDescriptor(fd), 'stat', path)
  }
  const setMode = (): void => {
    if (!link && stat.mode !== wanted.mode) {
      must(fchmodat(AT.FDCWD, selfPath(fd), wanted.mode & 0o7777, 0), 'change the mode of', path)
    }
  }
  setMode()
  if (applyXattrs(fd, wanted, path)) {
    must(stat.ofDescriptor(fd), 'stat', path)
    setMode()
  }
  if (stat.mtimeSeconds !== wanted.mtimeSeconds || stat.mtimeNanos !== wanted.mtimeNanos) {
    setMtime(fd, wanted, path)
  }
}

function applyXattrs(fd: number, wanted: Attributes, path: BytePath): boolean {
  const found = xattrsOf(fd, path)
  if (found.length === 0 && wanted.xattrs.length === 0) return false
  const present = new Map(found)
  const self = selfPath(fd)
  let changed = false
  for (const [name, value] of wanted.xattrs) {
    const same = present.get(name) === value
    present.delete(name)
    if (same) continue
    const bytes = Buffer.from(value, 'latin1')
    const set = setxattr(self, cstring(name), bytes, bytes.length, 0)
    must(set, `set the attribute ${name} of`, path)
    changed = true
  }
  for (const name of present.keys()) {
    must(removexattr(self, cstring(name)), `remove the attribute ${name} of`, path)
    changed = true
  }
  return changed
}

function setMtime(fd: number, wanted: Attributes, path: BytePath): void {
  times.writeBigInt64LE(0n, 0)
  times.writeBigInt64LE(BigInt(UTIME.OMIT), 8)
  times.writeBigInt64LE(BigInt(wanted.mtimeSeconds), 16)
  times.writeBigInt64LE(BigInt(wanted.mtimeNanos), 24)
  must(utimensat(AT.FDCWD, selfPath(fd), times, 0), 'set the times of', path)
}
