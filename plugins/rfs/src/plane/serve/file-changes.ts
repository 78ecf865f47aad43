/** Changes of one file: content, size, attributes, extended attributes; and fsync. See changes.ts for the rule. */
import { assert } from '@holdfast/sdk'
import { setAttributes } from '../changes.js'
import {
  FATTR,
  FSYNC_DATA_ONLY,
  OP,
  SETXATTR_ACL_KILL_SGID,
  SIZE,
  WRITE_KILL_SUIDGID,
} from '../fuse/abi.js'
import type { Request } from '../fuse/request.js'
import {
  E,
  FALLOC,
  MODE,
  UTIME,
  errnoName,
  fallocate,
  fchmod,
  getxattr,
  pwrite,
  removexattr,
  selfPath,
  setxattr,
} from '../libc.js'
import { StatBuffer } from '../stat.js'
import { ATTRIBUTE, KIND, SYNC, type Attributes } from '../link/ops.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { answer, type ChangeParts } from './change-parts.js'
import { isInGroup } from './membership.js'
import type { Written } from './stream.js'

const UNCHANGED = 0xffff_ffff
const SPECIAL_BITS = 0o6000
/** An allocation that ends with one of these was refused before anything was done. */
const NOTHING_DONE: readonly number[] = [
  E.OPNOTSUPP,
  E.INVAL,
  E.PERM,
  E.BADF,
  E.FBIG,
  E.NODEV,
  E.NOSYS,
]
/** A write that is larger is sent in parts. */
const PART_BYTES = 128 * 1024

/** Each returns -errno for an error that is still to be answered, else 0. */
export class FileChanges {
  readonly #stat = new StatBuffer()
  readonly #written: Written = { offset: 0, from: Buffer.alloc(0), at: 0, size: 0 }
  readonly #attributes: Attributes = {
    valid: 0,
    mode: 0,
    uid: UNCHANGED,
    gid: UNCHANGED,
    size: 0,
    atimeSeconds: 0,
    atimeNanos: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
  }

  constructor(readonly parts: ChangeParts) {}

  write(volume: Volume, request: Request, node: Node): number {
    const { reply, rights, stream, toucher } = this.parts
    const fd = volume.table.writable(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const size = request.u32(16)
    const at = SIZE.IN_HEADER + SIZE.WRITE_IN
    if (at + size > request.length) return -E.INVAL
    if ((request.u32(20) & WRITE_KILL_SUIDGID) !== 0 && node.privileged) {
      this.#dropPrivileges(volume, request, node, fd)
    }
    toucher.data(volume.table, node, offset, size)
    const sent = stream.concerns(volume, node)
    const user = this.#userOf(request, node)
    rights.allocateAs(user)
    const done = this.#writeParts(volume, request, node, fd, sent)
    rights.allocateAsRoot(user)
    // Also when it failed: a file system that finds no room has set the time before.
    if (sent) stream.owe(volume, node)
    if (done < 0) return done
    reply.view.setUint32(SIZE.OUT_HEADER, done, true)
    reply.view.setUint32(SIZE.OUT_HEADER + 4, 0, true)
    reply.head(request, 8)
    return answer(this.parts, volume, sent, done)
  }

  /**
   * Writes here and, part by part, to the follower: it works on one part while the next is written here, and each part
   * stays in the processor's cache on its way. Returns the bytes written, or -errno when there are none.
   */
  #writeParts(volume: Volume, request: Request, node: Node, fd: number, sent: boolean): number {
    const { stream } = this.parts
    const start = request.u64(8)
    const size = request.u32(16)
    const written = this.#written
    written.from = request.bytes
    written.size = 0
    let done = 0
    while (done < size) {
      written.offset = start + done
      written.at = SIZE.IN_HEADER + SIZE.WRITE_IN + done
      const wanted = Math.min(size - done, PART_BYTES)
      written.size = pwrite(fd, request.address + written.at, wanted, written.offset)
      if (written.size <= 0) break
      done += written.size
      if (sent) stream.write(volume, node, written, done < size)
      if (sent && done < size) stream.push()
    }
    if (done === 0 && written.size < 0) return written.size
    // It ended early (the disk is full): the answer needs an op that can be acknowledged, after the parts that were sent.
    if (sent && (done < size || size === 0)) stream.ops.plain(KIND.FENCE)
    return done
  }

  /** Who may keep set-user-id and set-group-id bits keeps them: a file system clears them when a user changes content. */
  #userOf(request: Request, node: Node): number {
    return node.privileged ? 0 : request.uid
  }

  /**
   * Somebody without the right to keep them changes content: set-user-id and set-group-id go. We write as root, so the
   * file system beneath does not do it by itself (capabilities of the file it does drop).
   */
  #dropPrivileges(volume: Volume, request: Request, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0) return
    const { mode, gid } = this.#stat
    if ((mode & SPECIAL_BITS) === 0) {
      node.privileged = false
      return
    }
    // Set-group-id without execute for the group stays for its members, and counts as soon as an ACL or chmod adds that.
    const losesGroup = (mode & 0o0010) !== 0 || !isInGroup(request, gid)
    const kept = mode & ~(0o4000 | (losesGroup ? 0o2000 : 0))
    node.privileged = (kept & SPECIAL_BITS) !== 0
    if (kept === mode || (mode & MODE.TYPE) !== MODE.FILE) return
    this.parts.toucher.meta(volume.table, node)
    if (fchmod(fd, kept & 0o7777) < 0) return
    this.#sendMode(volume, node, kept)
  }

  /** An op of our own making: nobody waits for its answer. */
  #sendMode(volume: Volume, node: Node, mode: number): void {
    const { stream } = this.parts
    if (!stream.concerns(volume, node)) return
    stream.ops.attributes(volume.index, node.id, {
      ...this.#attributes,
      valid: ATTRIBUTE.MODE,
      mode: mode & 0o7777,
      uid: UNCHANGED,
      gid: UNCHANGED,
    })
    stream.unanswered()
  }

  setAttributes(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const resized = (request.u32(0) & FATTR.SIZE) !== 0
    const fd = resized ? volume.table.writable(node) : volume.table.descriptor(node)
    if (fd < 0) return fd
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    const a = this.#wanted(request)
    if (resized) {
      // What is cut off is lost on one side only, should the other miss it: every zone up to the old end counts.
      const from = Math.min(a.size, this.#stat.size)
      toucher.data(volume.table, node, from, Math.max(1, this.#stat.size - from))
    } else {
      toucher.meta(volume.table, node)
    }
    const oldMode = this.#stat.mode
    const done = setAttributes(fd, a)
    if (done < 0) return done
    if ((request.u32(0) & FATTR.KILL_SUIDGID) !== 0 && resized) {
      node.privileged = true
      this.#dropPrivileges(volume, request, node, fd)
    }
    if ((a.valid & ATTRIBUTE.MODE) !== 0) node.privileged = true
    const after = this.#stat.ofDescriptor(fd)
    if (after < 0) return after
    const sent = stream.concerns(volume, node)
    if (sent) {
      this.#explicit(a, oldMode)
      stream.ops.attributes(volume.index, node.id, a)
      if (resized) stream.owe(volume, node)
    }
    reply.attributes(request, this.#stat)
    return answer(this.parts, volume, sent)
  }

  /** What the kernel asks for, in our words. "Now" is the clock of this side, also for the follower. */
  #wanted(request: Request): Attributes {
    const a = this.#attributes
    const valid = request.u32(0)
    const has = (bit: number): boolean => (valid & bit) !== 0
    const owner = has(FATTR.UID) || has(FATTR.GID)
    a.valid =
      (has(FATTR.MODE) ? ATTRIBUTE.MODE : 0) |
      (owner ? ATTRIBUTE.OWNER : 0) |
      (has(FATTR.SIZE) ? ATTRIBUTE.SIZE : 0) |
      (has(FATTR.ATIME) ? ATTRIBUTE.ATIME : 0) |
      (has(FATTR.MTIME) ? ATTRIBUTE.MTIME : 0)
    a.mode = request.u32(68)
    a.uid = has(FATTR.UID) ? request.u32(76) : UNCHANGED
    a.gid = has(FATTR.GID) ? request.u32(80) : UNCHANGED
    a.size = request.u64(16)
    a.atimeSeconds = request.i64(32)
    a.atimeNanos = has(FATTR.ATIME_NOW) ? UTIME.NOW : request.u32(56)
    a.mtimeSeconds = request.i64(40)
    a.mtimeNanos = has(FATTR.MTIME_NOW) ? UTIME.NOW : request.u32(60)
    return a
  }

  /** Replaces what the file system decided (times, mode) by the result. */
  #explicit(a: Attributes, oldMode: number): void {
    const stat = this.#stat
    a.atimeSeconds = stat.atimeSeconds
    a.atimeNanos = stat.atimeNanos
    a.mtimeSeconds = stat.mtimeSeconds
    a.mtimeNanos = stat.mtimeNanos
    if ((a.valid & ATTRIBUTE.MODE) !== 0 || stat.mode !== oldMode) {
      a.valid |= ATTRIBUTE.MODE
      a.mode = stat.mode & 0o7777
    }
  }

  setXattr(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const name = request.text(16)
    const size = request.u32(0)
    const valueAt = 16 + name.length + 1
    if (SIZE.IN_HEADER + valueAt + size > request.length) return -E.INVAL
    toucher.meta(volume.table, node)
    const path = selfPath(fd)
    const value = request.addressAt(valueAt)
    const done = setxattr(path, request.addressAt(16), value, size, request.u32(4))
    const again = done === -E.EXIST && request.isResent && this.#hasValue(path, request, valueAt)
    if (done < 0 && !again) return done
    const sent = stream.concerns(volume, node)
    if (sent) {
      const from = SIZE.IN_HEADER + valueAt
      const bytes = request.bytes.subarray(from, from + size)
      stream.ops.setXattr(volume.index, node.id, name, bytes, 0)
    }
    reply.head(request, 0)
    answer(this.parts, volume, sent)
    if ((request.u32(8) & SETXATTR_ACL_KILL_SGID) !== 0) this.#dropGroupBit(volume, node, fd)
    return 0
  }

  /** The data plane that died had set this very value. */
  #hasValue(path: Buffer, request: Request, valueAt: number): boolean {
    const size = request.u32(0)
    const there = Buffer.alloc(size + 1)
    if (getxattr(path, request.addressAt(16), there, there.length) !== size) return false
    const from = SIZE.IN_HEADER + valueAt
    return there.subarray(0, size).equals(request.bytes.subarray(from, from + size))
  }

  /** An ACL was set by somebody who is not in the file's group. */
  #dropGroupBit(volume: Volume, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0 || (this.#stat.mode & 0o2000) === 0) return
    const kept = this.#stat.mode & 0o7777 & ~0o2000
    if (fchmod(fd, kept) >= 0) this.#sendMode(volume, node, kept)
  }

  removeXattr(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    toucher.meta(volume.table, node)
    const done = removexattr(selfPath(fd), request.addressAt(0))
    const again = done === -E.NODATA && request.isResent
    if (done < 0 && !again) return done
    const sent = !again && stream.concerns(volume, node)
    if (sent) stream.ops.removeXattr(volume.index, node.id, request.text(0))
    reply.head(request, 0)
    return answer(this.parts, volume, sent)
  }

  allocate(volume: Volume, request: Request, node: Node): number {
    const { reply, rights, stream, toucher } = this.parts
    const fd = volume.table.writable(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const length = request.u64(16)
    const mode = request.u32(24)
    const shifts = (mode & (FALLOC.COLLAPSE | FALLOC.INSERT)) !== 0
    if (shifts) toucher.whole(volume.table, node)
    else toucher.data(volume.table, node, offset, length)
    // The kernel does not say whether the caller may keep these bits; root may.
    if (request.uid !== 0 && node.privileged) this.#dropPrivileges(volume, request, node, fd)
    const user = this.#userOf(request, node)
    rights.allocateAs(user)
    const done = fallocate(fd, mode, offset, length)
    rights.allocateAsRoot(user)
    if (done < 0) return this.#halfAllocated(volume, node, fd, mode, done)
    const sent = stream.concerns(volume, node)
    if (sent) {
      stream.ops.allocate(volume.index, node.id, mode, offset, length)
      stream.owe(volume, node)
    }
    reply.head(request, 0)
    return answer(this.parts, volume, sent)
  }

  /** A file system may fail in the middle, with a part done: the disk is full, and the file has grown. Returns the error. */
  #halfAllocated(volume: Volume, node: Node, fd: number, mode: number, error: number): number {
    const { stream, diverged } = this.parts
    if (NOTHING_DONE.includes(-error) || !stream.concerns(volume, node)) return error
    stream.owe(volume, node)
    if (mode === FALLOC.KEEP_SIZE) return error
    if (mode !== 0) {
      diverged(`a change of the content of a file failed half-way (${errnoName(error)})`)
      return error
    }
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) {
      diverged(`the size of a file is not known any more (${errnoName(found)})`)
      return error
    }
    const { size } = this.#stat
    stream.ops.attributes(volume.index, node.id, {
      ...this.#attributes,
      valid: ATTRIBUTE.SIZE,
      size,
    })
    stream.unanswered()
    return error
  }

  sync(volume: Volume, request: Request, node: Node): number {
    assert(request.opcode === OP.FSYNC || request.opcode === OP.FSYNCDIR, 'only these are left')
    const { stream, syncs } = this.parts
    const dataOnly = (request.u32(8) & FSYNC_DATA_ONLY) !== 0
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const remote = syncs.both && stream.concerns(volume, node)
    const token = syncs.start(volume, node, fd, request, dataOnly, remote)
    if (!remote) return 0
    // The times that are owed are part of what a file's owner wants on both disks.
    if (!dataOnly) stream.payTimes()
    stream.ops.sync(volume.index, node.id, dataOnly ? SYNC.DATA_ONLY : 0, token)
    stream.unanswered()
    return 0
  }
}
