/** Changes of the attributes of one inode: size, owner, mode, times, extended attributes. See changes.ts for the rule. */
import { ATTRIBUTE_STEPS, setAttributes } from '../changes.js'
import { FATTR, SETXATTR_ACL_KILL_SGID, SIZE } from '../fuse/abi.js'
import type { Request } from '../fuse/request.js'
import { E, UTIME, errnoName, getxattr, removexattr, selfPath, setxattr } from '../libc.js'
import { ATTRIBUTE, NO_ATTRIBUTES, UNCHANGED, type Attributes } from '../link/ops.js'
import type { Node } from '../nodes.js'
import { StatBuffer } from '../stat.js'
import type { Volume } from '../volume.js'
import { answer, isRefused, type ChangeParts } from './change-parts.js'
import { Privileges } from './privileges.js'

/** Each returns -errno for an error that is still to be answered, else 0. */
export class AttributeChanges {
  readonly #stat = new StatBuffer()
  readonly #privileges: Privileges
  readonly #attributes: Attributes = { ...NO_ATTRIBUTES }

  /** `steps`: for tests, which let one of them fail. */
  constructor(
    readonly parts: ChangeParts,
    readonly steps = ATTRIBUTE_STEPS,
  ) {
    this.#privileges = new Privileges(parts)
  }

  set(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const resized = (request.u32(0) & FATTR.SIZE) !== 0
    const fd = resized ? volume.table.writable(node) : volume.table.descriptor(node)
    if (fd < 0) return fd
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    const a = this.#wanted(request)
    const { mode, size } = this.#stat
    if (resized) {
      // What is cut off is lost on one side only, should the other miss it: every zone up to the old end counts.
      const from = Math.min(a.size, size)
      toucher.data(volume.table, node, from, Math.max(1, size - from))
    } else {
      toucher.meta(volume.table, node)
    }
    const done = setAttributes(fd, a, this.steps)
    if (done < 0) return this.#halfSet(volume, node, fd, { mode, cut: resized ? size : 0 }, done)
    if ((request.u32(0) & FATTR.KILL_SUIDGID) !== 0 && resized) {
      node.privileged = true
      this.#privileges.drop(volume, request, node, fd)
    }
    if ((a.valid & ATTRIBUTE.MODE) !== 0) node.privileged = true
    const after = this.#stat.ofDescriptor(fd)
    if (after < 0) return after
    const sent = stream.concerns(volume, node)
    if (sent) this.#tell(volume, node, mode)
    reply.attributes(request, this.#stat)
    return answer(this.parts, volume, sent)
  }

  /**
   * One of several could not be set. Those before it are not taken back, which could fail as well (and what was cut off is gone): the
   * follower gets them too. `a.valid` has them. Returns the error.
   */
  #halfSet(
    volume: Volume,
    node: Node,
    fd: number,
    before: { readonly mode: number; readonly cut: number },
    error: number,
  ): number {
    const { reply, stream, diverged } = this.parts
    const a = this.#attributes
    const found = this.#stat.ofDescriptor(fd)
    // It keeps what it knew when an error is answered.
    reply.attributesChanged(node.id)
    reply.send(volume.fuse)
    if (!stream.concerns(volume, node)) return error
    if (found < 0 || (a.valid === 0 && this.#mayBeCut(before.cut, error))) {
      diverged(`a change of attributes failed half-way (${errnoName(error)})`)
    } else if (a.valid !== 0) {
      this.#tell(volume, node, before.mode)
      stream.unanswered()
    }
    return error
  }

  /** Making a file shorter comes first of all. When it fails, a part of it may be done: the last block is cleared before the size is set. */
  #mayBeCut(sizeBefore: number, error: number): boolean {
    return this.#attributes.size < sizeBefore && !isRefused(error)
  }

  /** Sends what was set, as it came out (`#stat`). */
  #tell(volume: Volume, node: Node, oldMode: number): void {
    const { stream } = this.parts
    this.#explicit(this.#attributes, oldMode)
    stream.ops.attributes(volume.index, node.id, this.#attributes)
    if ((this.#attributes.valid & ATTRIBUTE.SIZE) !== 0) stream.owe(volume, node)
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
    if ((request.u32(8) & SETXATTR_ACL_KILL_SGID) !== 0)
      this.#privileges.dropGroup(volume, node, fd)
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
}
