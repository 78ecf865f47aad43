/**
 * Requests that change something: made in the tree beneath first; when that succeeded they are sent to the follower,
 * if one is live, and answered when it has applied them. What fails here is answered at once and concerns nobody else.
 */
import { assert } from '@holdfast/sdk'
import {
  FATTR,
  FSYNC_DATA_ONLY,
  OP,
  SETXATTR_ACL_KILL_SGID,
  SIZE,
  WRITE_KILL_SUIDGID,
} from '../fuse/abi.js'
import type { Reply } from '../fuse/reply.js'
import type { Request } from '../fuse/request.js'
import {
  E,
  FALLOC,
  MODE,
  RENAME,
  StatBuffer,
  UTIME,
  fallocate,
  fchmod,
  pwrite,
  removexattr,
  selfPath,
  setxattr,
  unlinkat,
  AT,
} from '../libc.js'
import {
  ATTRIBUTE,
  MAKE,
  REMOVE,
  RENAMED,
  SYNC,
  type Attributes,
  type Making,
} from '../link/ops.js'
import { linkDescriptor, makeEntry, makeUnnamed, renameEntry, setAttributes } from '../changes.js'
import type { Node } from '../nodes.js'
import type { Toucher } from '../touch.js'
import type { Volume } from '../volume.js'
import type { WorkerPool } from '../workers/pool.js'
import { fitsUnnamed, sendUnnamed } from './late-link.js'
import type { Stream } from './stream.js'
import type { Syncs } from './syncs.js'

const UNCHANGED = 0xffff_ffff
const SPECIAL_BITS = 0o6000

/** What the handlers work with; one set for all volumes. */
export interface ChangeParts {
  readonly reply: Reply
  readonly stream: Stream
  readonly toucher: Toucher
  readonly pool: WorkerPool
  readonly syncs: Syncs
  /** This request can't be sent to the live follower: end the session, and keep the request until that is sorted out. */
  readonly giveUp: (volume: Volume, request: Request, cause: string) => void
}

/** Can't be done before it is known whether a follower must have it. */
export function isChange(opcode: number): boolean {
  switch (opcode) {
    case OP.WRITE:
    case OP.SETATTR:
    case OP.SYMLINK:
    case OP.MKNOD:
    case OP.MKDIR:
    case OP.UNLINK:
    case OP.RMDIR:
    case OP.RENAME:
    case OP.RENAME2:
    case OP.LINK:
    case OP.SETXATTR:
    case OP.REMOVEXATTR:
    case OP.FALLOCATE:
    case OP.TMPFILE:
    case OP.FSYNC:
    case OP.FSYNCDIR:
      return true
    default:
      return false
  }
}

export class Changes {
  readonly #stat = new StatBuffer()
  readonly #making: Making = { mode: 0, umask: 0, uid: -1, gid: -1, rdev: 0, target: '' }
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

  /** Only for what `isChange` says. */
  handle(volume: Volume, request: Request): void {
    const node = volume.table.get(request.node)
    const error = node === undefined ? -E.STALE : this.#dispatch(volume, request, node)
    if (error >= 0) return
    this.parts.reply.error(request, error)
    this.parts.reply.send(volume.fuse)
  }

  #dispatch(volume: Volume, request: Request, node: Node): number {
    switch (request.opcode) {
      case OP.WRITE:
        return this.#write(volume, request, node)
      case OP.SETATTR:
        return this.#setAttributes(volume, request, node)
      case OP.MKNOD:
        return this.#makeNode(volume, request, node)
      case OP.MKDIR:
        return this.#makeDirectory(volume, request, node)
      case OP.SYMLINK:
        return this.#makeLink(volume, request, node)
      case OP.TMPFILE:
        return this.#makeUnnamed(volume, request, node)
      case OP.LINK:
        return this.#link(volume, request, node)
      case OP.UNLINK:
        return this.#remove(volume, request, node, false)
      case OP.RMDIR:
        return this.#remove(volume, request, node, true)
      case OP.RENAME:
        return this.#rename(volume, request, node, 8, 0)
      case OP.RENAME2:
        return this.#rename(volume, request, node, 16, request.u32(8))
      case OP.SETXATTR:
        return this.#setXattr(volume, request, node)
      case OP.REMOVEXATTR:
        return this.#removeXattr(volume, request, node)
      case OP.FALLOCATE:
        return this.#allocate(volume, request, node)
      default:
        return this.#sync(volume, request, node)
    }
  }

  /** The reply is built: give it now, or when the follower has applied the op that was just written. */
  #answer(volume: Volume, sent: boolean, weight = 0): 0 {
    const { reply, stream } = this.parts
    if (sent) stream.answerLater(volume, reply, weight)
    else reply.send(volume.fuse)
    return 0
  }

  #write(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const size = request.u32(16)
    const at = SIZE.IN_HEADER + SIZE.WRITE_IN
    if (at + size > request.length) return -E.INVAL
    if ((request.u32(20) & WRITE_KILL_SUIDGID) !== 0 && node.privileged) {
      this.#dropPrivileges(volume, node, fd)
    }
    toucher.data(volume.table, node, offset, size)
    const done = pwrite(fd, request.address + at, size, offset)
    if (done < 0) return done
    const sent = stream.concerns(volume, node)
    if (sent) {
      stream.write(volume, node, offset, request.bytes, at, done)
      stream.owe(volume, node)
    }
    reply.view.setUint32(SIZE.OUT_HEADER, done, true)
    reply.view.setUint32(SIZE.OUT_HEADER + 4, 0, true)
    reply.head(request, 8)
    return this.#answer(volume, sent, done)
  }

  /**
   * Somebody without the right to keep them changes content: set-user-id and set-group-id go. We write as root, so the
   * file system beneath does not do it by itself (capabilities of the file it does drop).
   */
  #dropPrivileges(volume: Volume, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0) return
    const { mode } = this.#stat
    // Set-group-id without execute for the group stays, and counts as soon as an ACL or chmod adds that.
    const kept = mode & ~(0o4000 | ((mode & 0o0010) !== 0 ? 0o2000 : 0))
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

  #setAttributes(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    const a = this.#wanted(request)
    const resized = (a.valid & ATTRIBUTE.SIZE) !== 0
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
      this.#dropPrivileges(volume, node, fd)
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
    return this.#answer(volume, sent)
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

  #makeNode(volume: Volume, request: Request, parent: Node): number {
    const making = this.#madeBy(volume, request, parent)
    making.mode = request.u32(0)
    making.rdev = request.u32(4)
    making.umask = request.u32(8)
    return this.#make(volume, request, parent, 16)
  }

  #makeDirectory(volume: Volume, request: Request, parent: Node): number {
    const making = this.#madeBy(volume, request, parent)
    making.mode = MODE.DIRECTORY | request.u32(0)
    making.umask = request.u32(4)
    return this.#make(volume, request, parent, 8)
  }

  #makeLink(volume: Volume, request: Request, parent: Node): number {
    const making = this.#madeBy(volume, request, parent)
    making.mode = MODE.LINK | 0o777
    making.target = request.text(request.text(0).length + 1)
    return this.#make(volume, request, parent, 0)
  }

  /** Owner and group of what is made: the caller's, or the directory's group when that is set-group-id. */
  #madeBy(volume: Volume, request: Request, parent: Node): Making {
    const making = this.#making
    making.rdev = 0
    making.umask = 0
    making.target = ''
    making.uid = -1
    making.gid = -1
    // Made by root: what the kernel does by itself is right.
    if (request.uid === 0 && request.gid === 0) return making
    making.uid = request.uid
    const inherits = volume.table.stat(parent, this.#stat) === 0 && (this.#stat.mode & 0o2000) !== 0
    making.gid = inherits ? -1 : request.gid
    return making
  }

  #make(volume: Volume, request: Request, parent: Node, nameAt: number): number {
    const { reply, stream, toucher } = this.parts
    const name = request.text(nameAt)
    toucher.entry(volume.table, parent, name)
    const directory = volume.table.descriptor(parent)
    if (directory < 0) return directory
    const made = makeEntry(directory, request.addressAt(nameAt), this.#making)
    if (made < 0) return made
    const found = this.#stat.ofName(directory, request.addressAt(nameAt))
    if (found < 0) return found
    const node = this.#newNode(volume)
    volume.table.addName(node, parent, name)
    const sent = stream.concerns(volume, parent)
    if (sent) {
      stream.ops.make(volume.index, parent.id, node.id, name, 0, this.#making)
      stream.introduced(node)
      stream.owe(volume, parent)
      stream.owe(volume, node)
    }
    reply.entry(request, this.#stat, node.id)
    return this.#answer(volume, sent)
  }

  /** What `stat` shows was made a moment ago, and the kernel is about to know it. */
  #newNode(volume: Volume): Node {
    const node = volume.table.obtain(this.#stat.inode, this.#stat.mode & MODE.TYPE)
    node.lookups++
    return node
  }

  #makeUnnamed(volume: Volume, request: Request, parent: Node): number {
    const { reply, stream } = this.parts
    const making = this.#madeBy(volume, request, parent)
    making.mode = MODE.FILE | (request.u32(4) & 0o7777)
    making.umask = request.u32(8)
    const directory = volume.table.descriptor(parent)
    if (directory < 0) return directory
    const fd = makeUnnamed(directory, making)
    if (fd < 0) return fd
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    const node = this.#newNode(volume)
    node.fd = fd
    node.linkable = true
    volume.table.descriptors.opened(node)
    const sent = stream.concerns(volume, parent)
    if (sent) {
      stream.ops.make(volume.index, parent.id, node.id, '', MAKE.UNNAMED, making)
      stream.introduced(node)
    }
    reply.entry(request, this.#stat, node.id)
    reply.bytes.fill(0, reply.length, reply.length + SIZE.OPEN_OUT)
    reply.head(request, SIZE.ENTRY_OUT + SIZE.OPEN_OUT)
    return this.#answer(volume, sent)
  }

  #link(volume: Volume, request: Request, parent: Node): number {
    const { reply, stream, toucher } = this.parts
    const { table } = volume
    const node = table.get(request.u64(0))
    if (node === undefined) return -E.STALE
    const name = request.text(8)
    const late = node.linkable && stream.live && node.session !== stream.session
    if (late && !fitsUnnamed(volume, node)) {
      const cause = 'a large file without a name, made before this session, got a name'
      this.parts.giveUp(volume, request, cause)
      return 0
    }
    toucher.entry(table, parent, name)
    node.pins++
    const fd = table.descriptor(node)
    const directory = table.descriptor(parent)
    const failed = Math.min(fd, directory)
    const made = failed < 0 ? failed : linkDescriptor(fd, directory, request.addressAt(8))
    node.pins--
    if (made < 0) return made
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    if (late) sendUnnamed(this.parts, volume, node, parent)
    const sent = stream.concerns(volume, parent) && stream.concerns(volume, node)
    if (sent) {
      stream.ops.link(volume.index, node.id, parent.id, name)
      stream.owe(volume, parent)
    }
    table.addName(node, parent, name)
    node.linkable = false
    node.lookups++
    reply.entry(request, this.#stat, node.id)
    return this.#answer(volume, sent)
  }

  #remove(volume: Volume, request: Request, parent: Node, isDirectory: boolean): number {
    const { reply, stream, toucher } = this.parts
    const { table } = volume
    const name = request.text(0)
    parent.pins++
    const directory = table.descriptor(parent)
    const found = directory < 0 ? directory : this.#stat.ofName(directory, request.addressAt(0))
    const last = isDirectory || this.#stat.links === 1
    const node = found < 0 ? undefined : table.get(this.#stat.inode)
    if (found === 0) this.#beforeLoss(volume, parent, name, node, last)
    toucher.entry(table, parent, name)
    const removed =
      found < 0 ? found : unlinkat(directory, request.addressAt(0), isDirectory ? AT.REMOVEDIR : 0)
    parent.pins--
    if (removed < 0) return removed
    if (node !== undefined) table.removeName(node, parent, name)
    const sent = stream.concerns(volume, parent)
    if (sent) {
      const id = stream.idOf(node)
      if (node !== undefined && id !== 0 && !last) stream.nameAgain(volume, node)
      const flags = (isDirectory ? REMOVE.DIRECTORY : 0) | (last ? REMOVE.LAST : 0)
      stream.ops.remove(volume.index, parent.id, name, id, flags)
      stream.owe(volume, parent)
    }
    if (node !== undefined && last) node.gone = true
    reply.head(request, 0)
    return this.#answer(volume, sent)
  }

  /** A name is about to go: a node that may be open, and has no other name, keeps its descriptor. */
  #beforeLoss(
    volume: Volume,
    directory: Node,
    name: string,
    node: Node | undefined,
    last: boolean,
  ): void {
    if (!last) this.parts.toucher.moved(volume.table, directory, name, node)
    if (node !== undefined && node.others === undefined) volume.table.descriptor(node)
  }

  #rename(volume: Volume, request: Request, parent: Node, namesAt: number, flags: number): number {
    const { table } = volume
    const newParent = table.get(request.u64(0))
    if (newParent === undefined) return -E.STALE
    const name = request.text(namesAt)
    parent.pins++
    newParent.pins++
    const done = this.#renameIn(volume, request, {
      parent,
      newParent,
      name,
      newName: request.text(namesAt + name.length + 1),
      flags,
      nameAddress: request.addressAt(namesAt),
      newNameAddress: request.addressAt(namesAt + name.length + 1),
    })
    parent.pins--
    newParent.pins--
    return done
  }

  #renameIn(volume: Volume, request: Request, r: Renaming): number {
    const { reply, stream, toucher } = this.parts
    const { table } = volume
    const { parent, newParent, name, newName } = r
    const from = table.descriptor(parent)
    const to = table.descriptor(newParent)
    const failed = Math.min(from, to)
    const found = failed < 0 ? failed : this.#stat.ofName(from, r.nameAddress)
    if (found < 0) return found
    const moving = table.get(this.#stat.inode)
    const moved = this.#stat.inode
    const exists = this.#stat.ofName(to, r.newNameAddress) === 0
    const same = exists && this.#stat.inode === moved
    const replaced = exists ? table.get(this.#stat.inode) : undefined
    const exchanged = (r.flags & RENAME.EXCHANGE) !== 0
    const isDirectory = (this.#stat.mode & MODE.TYPE) === MODE.DIRECTORY
    const last = exists && !exchanged && (isDirectory || this.#stat.links === 1)
    const loses = exists && !exchanged && !same
    if (loses) this.#beforeLoss(volume, newParent, newName, replaced, last)
    toucher.entry(table, parent, name)
    toucher.entry(table, newParent, newName)
    const { uid, gid } = this.#madeBy(volume, request, parent)
    const move = { flags: r.flags, uid, gid }
    const done = renameEntry(from, r.nameAddress, to, r.newNameAddress, move)
    if (done < 0) return done
    if (!same) this.#renameNodes(volume, r, moving, replaced, exchanged)
    const sent = stream.concerns(volume, parent) && stream.concerns(volume, newParent)
    if (sent) {
      if (loses && !last && replaced !== undefined && stream.idOf(replaced) !== 0) {
        stream.nameAgain(volume, replaced)
      }
      stream.ops.rename(volume.index, {
        parent: parent.id,
        name,
        newParent: newParent.id,
        newName,
        flags: last ? RENAMED.REPLACED_LAST : 0,
        mode: r.flags,
        node: stream.idOf(moving),
        replaced: stream.idOf(replaced),
        uid,
        gid,
      })
      stream.owe(volume, parent)
      stream.owe(volume, newParent)
      if ((r.flags & RENAME.WHITEOUT) !== 0) this.#oweWhiteout(volume, from, r)
    }
    if (last && replaced !== undefined) replaced.gone = true
    reply.head(request, 0)
    return this.#answer(volume, sent)
  }

  /** What was left at the old name is new: its time is the file system's. */
  #oweWhiteout(volume: Volume, directory: number, r: Renaming): void {
    if (this.#stat.ofName(directory, r.nameAddress) < 0) return
    const node = volume.table.obtain(this.#stat.inode, this.#stat.mode & MODE.TYPE)
    volume.table.addName(node, r.parent, r.name)
    this.parts.stream.owe(volume, node)
  }

  #renameNodes(
    { table }: Volume,
    r: Renaming,
    moving: Node | undefined,
    replaced: Node | undefined,
    exchanged: boolean,
  ): void {
    if (replaced !== undefined) table.removeName(replaced, r.newParent, r.newName)
    if (moving !== undefined) {
      // The new name first: a node that is known by one name must not lose it in between.
      table.addName(moving, r.newParent, r.newName)
      table.removeName(moving, r.parent, r.name)
    }
    if (exchanged && replaced !== undefined) table.addName(replaced, r.parent, r.name)
  }

  #setXattr(volume: Volume, request: Request, node: Node): number {
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
    if (done < 0) return done
    const sent = stream.concerns(volume, node)
    if (sent) {
      const from = SIZE.IN_HEADER + valueAt
      const bytes = request.bytes.subarray(from, from + size)
      stream.ops.setXattr(volume.index, node.id, name, bytes, 0)
    }
    reply.head(request, 0)
    this.#answer(volume, sent)
    if ((request.u32(8) & SETXATTR_ACL_KILL_SGID) !== 0) this.#dropGroupBit(volume, node, fd)
    return 0
  }

  /** An ACL was set by somebody who is not in the file's group. */
  #dropGroupBit(volume: Volume, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0 || (this.#stat.mode & 0o2000) === 0) return
    const kept = this.#stat.mode & 0o7777 & ~0o2000
    if (fchmod(fd, kept) >= 0) this.#sendMode(volume, node, kept)
  }

  #removeXattr(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    toucher.meta(volume.table, node)
    const done = removexattr(selfPath(fd), request.addressAt(0))
    if (done < 0) return done
    const sent = stream.concerns(volume, node)
    if (sent) stream.ops.removeXattr(volume.index, node.id, request.text(0))
    reply.head(request, 0)
    return this.#answer(volume, sent)
  }

  #allocate(volume: Volume, request: Request, node: Node): number {
    const { reply, stream, toucher } = this.parts
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const length = request.u64(16)
    const mode = request.u32(24)
    const shifts = (mode & (FALLOC.COLLAPSE | FALLOC.INSERT)) !== 0
    if (shifts) toucher.whole(volume.table, node)
    else toucher.data(volume.table, node, offset, length)
    // The kernel does not say whether the caller may keep these bits; root may.
    if (request.uid !== 0 && node.privileged) this.#dropPrivileges(volume, node, fd)
    const done = fallocate(fd, mode, offset, length)
    if (done < 0) return done
    const sent = stream.concerns(volume, node)
    if (sent) {
      stream.ops.allocate(volume.index, node.id, mode, offset, length)
      stream.owe(volume, node)
    }
    reply.head(request, 0)
    return this.#answer(volume, sent)
  }

  #sync(volume: Volume, request: Request, node: Node): number {
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

interface Renaming {
  readonly parent: Node
  readonly newParent: Node
  readonly name: string
  readonly newName: string
  readonly flags: number
  readonly nameAddress: number
  readonly newNameAddress: number
}
