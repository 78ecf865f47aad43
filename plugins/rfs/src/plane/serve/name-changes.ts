/** Changes of names: what is made, linked, removed, renamed. See changes.ts for the rule. */
import {
  giveTo,
  linkDescriptor,
  makeEntry,
  makeFile,
  makeUnnamed,
  renameEntry,
} from '../changes.js'
import { SIZE } from '../fuse/abi.js'
import type { Request } from '../fuse/request.js'
import { AT, E, MODE, RENAME, close, unlinkat, type Address } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { MAKE, REMOVE, RENAMED, type Making } from '../link/ops.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { answer, type ChangeParts } from './change-parts.js'
import { fateOfRename, touchRenamed, type Renaming } from './left-out.js'
import { fitsUnnamed, sendUnnamed } from './late-link.js'

/** What a directory holds that is renamed is not known; it counts as too much for a round for which the application waits. */
const DIRECTORY_BYTES = 32 * 1024 * 1024

/** Each returns -errno for an error that is still to be answered, else 0. */
export class NameChanges {
  readonly #stat = new StatBuffer()
  readonly #making: Making = { mode: 0, umask: 0, uid: -1, gid: -1, rdev: 0, target: '' }

  constructor(readonly parts: ChangeParts) {}

  makeNode(volume: Volume, request: Request, parent: Node): number {
    const making = this.#madeBy(volume, request, parent)
    making.mode = request.u32(0)
    making.rdev = request.u32(4)
    making.umask = request.u32(8)
    return this.#make(volume, request, parent, 16)
  }

  makeDirectory(volume: Volume, request: Request, parent: Node): number {
    const making = this.#madeBy(volume, request, parent)
    making.mode = MODE.DIRECTORY | request.u32(0)
    making.umask = request.u32(4)
    return this.#make(volume, request, parent, 8)
  }

  makeLink(volume: Volume, request: Request, parent: Node): number {
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
    const isLocal = volume.table.leavesOut(parent, name, this.#making.mode & MODE.TYPE)
    if (isLocal) toucher.meta(volume.table, parent)
    else toucher.entry(volume.table, parent, name)
    const directory = volume.table.descriptor(parent)
    if (directory < 0) return directory
    let node = this.#madeIn(volume, parent, directory, request.addressAt(nameAt))
    const again = node === -E.EXIST && request.isResent
    if (again) node = this.#madeBefore(volume, directory, request.addressAt(nameAt))
    if (typeof node === 'number') return node
    volume.table.addName(node, parent, name)
    if (isLocal) stream.oweIf(volume, parent)
    const sent = !again && !isLocal && stream.concerns(volume, parent)
    if (sent) {
      stream.ops.make(volume.index, parent.id, node.id, name, 0, this.#making)
      stream.introduced(node)
      stream.owe(volume, parent)
      stream.owe(volume, node)
    }
    reply.entry(request, this.#stat, node.id)
    return answer(this.parts, volume, sent)
  }

  /** -errno, or the new node, and `stat` shows it. */
  #madeIn(volume: Volume, parent: Node, directory: number, name: Address): Node | number {
    const making = this.#making
    if ((making.mode & MODE.TYPE) !== MODE.FILE) {
      const made = makeEntry(directory, name, making)
      const found = made < 0 ? made : this.#stat.ofName(directory, name)
      return found < 0 ? found : this.#newNode(volume)
    }
    parent.pins++
    const fd = makeFile(directory, name, making, volume.table.descriptors)
    parent.pins--
    if (fd < 0) return fd
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) {
      close(fd)
      return found
    }
    const node = this.#newNode(volume)
    volume.table.opened(node, fd)
    return node
  }

  /**
   * The data plane that died had made it: the kernel keeps a directory locked from the moment when it knows that there is no such
   * name until its request is answered. Perhaps it had not yet been given to its owner.
   */
  #madeBefore(volume: Volume, directory: number, name: Address): Node | number {
    const { uid, gid } = this.#making
    const given = giveTo(directory, name, uid, gid, 0)
    const found = given < 0 ? given : this.#stat.ofName(directory, name)
    return found < 0 ? found : this.#newNode(volume)
  }

  /** What `stat` shows was made a moment ago, and the kernel is about to know it. */
  #newNode(volume: Volume): Node {
    const node = volume.table.obtain(this.#stat.inode, this.#stat.mode & MODE.TYPE)
    node.lookups++
    return node
  }

  makeUnnamed(volume: Volume, request: Request, parent: Node): number {
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
    node.linkable = true
    volume.table.opened(node, fd)
    this.parts.succession.keep(volume, node)
    const sent = stream.concerns(volume, parent)
    if (sent) {
      stream.ops.make(volume.index, parent.id, node.id, '', MAKE.UNNAMED, making)
      stream.introduced(node)
    }
    reply.entry(request, this.#stat, node.id)
    reply.bytes.fill(0, reply.length, reply.length + SIZE.OPEN_OUT)
    reply.head(request, SIZE.ENTRY_OUT + SIZE.OPEN_OUT)
    return answer(this.parts, volume, sent)
  }

  link(volume: Volume, request: Request, parent: Node): number {
    const { reply, stream, toucher } = this.parts
    const { table } = volume
    const node = table.get(request.u64(0))
    if (node === undefined) return -E.STALE
    const name = request.text(8)
    const isLocal = table.leavesOut(parent, name, node.type)
    if (isLocal !== node.local && !node.linkable) return -E.XDEV
    const late = !isLocal && node.linkable && stream.live && node.session !== stream.session
    if (late && !fitsUnnamed(volume, node)) {
      const cause = 'a large file without a name, made before this session, got a name'
      this.parts.giveUp(volume, request, cause)
      return 0
    }
    if (isLocal) toucher.meta(table, parent)
    else toucher.entry(table, parent, name)
    node.pins++
    const fd = table.descriptor(node)
    const directory = table.descriptor(parent)
    const failed = Math.min(fd, directory)
    const made = failed < 0 ? failed : linkDescriptor(fd, directory, request.addressAt(8))
    node.pins--
    const again = made === -E.EXIST && request.isResent && this.#isLinked(request, directory, node)
    if (made < 0 && !again) return made
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) return found
    if (late) sendUnnamed(this.parts, volume, node, parent)
    if (isLocal) stream.oweIf(volume, parent)
    const sent =
      !again && !isLocal && stream.concerns(volume, parent) && stream.concerns(volume, node)
    if (sent) {
      stream.ops.link(volume.index, node.id, parent.id, name)
      stream.owe(volume, parent)
      // Made without a name, and perhaps nothing was written since: then nobody was told when it was made.
      if (node.linkable) stream.owe(volume, node)
    }
    table.addName(node, parent, name)
    if (node.linkable) this.parts.succession.release(node)
    node.linkable = false
    node.lookups++
    reply.entry(request, this.#stat, node.id)
    return answer(this.parts, volume, sent)
  }

  /** The data plane that died had linked it. */
  #isLinked(request: Request, directory: number, node: Node): boolean {
    const found = this.#stat.ofName(directory, request.addressAt(8))
    return found === 0 && this.#stat.inode === node.id
  }

  remove(volume: Volume, request: Request, parent: Node, isDirectory: boolean): number {
    const { reply, stream, toucher } = this.parts
    const { table } = volume
    const name = request.text(0)
    parent.pins++
    const directory = table.descriptor(parent)
    const found = directory < 0 ? directory : this.#stat.ofName(directory, request.addressAt(0))
    const last = isDirectory || this.#stat.links === 1
    const node = found < 0 ? undefined : table.get(this.#stat.inode)
    const isLocal = found === 0 && table.leavesOut(parent, name, this.#stat.mode & MODE.TYPE)
    const kept = found === 0 ? this.#beforeLoss(volume, parent, name, node, last) : 0
    if (kept < 0) {
      parent.pins--
      return kept
    }
    if (isLocal) toucher.meta(table, parent)
    else toucher.entry(table, parent, name)
    const removed =
      found < 0 ? found : unlinkat(directory, request.addressAt(0), isDirectory ? AT.REMOVEDIR : 0)
    parent.pins--
    if (removed === -E.NOENT && request.isResent) return this.#doneBefore(volume, request)
    if (removed < 0) return removed
    if (node !== undefined) table.removeName(node, parent, name)
    if (isLocal) stream.oweIf(volume, parent)
    const sent = !isLocal && stream.concerns(volume, parent)
    if (sent) {
      const id = stream.idOf(node)
      if (node !== undefined && id !== 0 && !last) stream.nameAgain(volume, node)
      const flags = (isDirectory ? REMOVE.DIRECTORY : 0) | (last ? REMOVE.LAST : 0)
      stream.ops.remove(volume.index, parent.id, name, id, flags)
      stream.owe(volume, parent)
    }
    if (node !== undefined && last) node.gone = true
    reply.head(request, 0)
    return answer(this.parts, volume, sent)
  }

  /**
   * The data plane that died had taken the name away: the kernel had seen it, and nobody else takes names away. The
   * follower got this by a copy, or will.
   */
  #doneBefore(volume: Volume, request: Request): 0 {
    const { reply } = this.parts
    reply.head(request, 0)
    return answer(this.parts, volume, false)
  }

  /**
   * A name is about to go: a node that may be open, and has no other name, keeps its descriptor. -errno: it can't have one. Then the
   * name must stay, for the file would end under its users, and its number become that of another.
   */
  #beforeLoss(
    volume: Volume,
    directory: Node,
    name: string,
    node: Node | undefined,
    last: boolean,
  ): number {
    if (!last && node?.local !== true) {
      this.parts.toucher.moved(volume.table, directory, name, node)
    }
    if (node === undefined || (node.others !== undefined && !last)) return 0
    const fd = volume.table.descriptor(node)
    if (fd >= 0 && last) this.parts.succession.keep(volume, node)
    return Math.min(fd, 0)
  }

  rename(volume: Volume, request: Request, parent: Node, namesAt: number, flags: number): number {
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
    if (request.isResent && this.#isRenamed(volume, request, found, r)) {
      return this.#doneBefore(volume, request)
    }
    if (found < 0) return found
    const moving = table.get(this.#stat.inode)
    const moved = this.#stat.inode
    const movedType = this.#stat.mode & MODE.TYPE
    const bytes = movedType === MODE.FILE ? this.#stat.size : DIRECTORY_BYTES
    const exists = this.#stat.ofName(to, r.newNameAddress) === 0
    const same = exists && this.#stat.inode === moved
    const replaced = exists ? table.get(this.#stat.inode) : undefined
    const exchanged = (r.flags & RENAME.EXCHANGE) !== 0
    const isDirectory = (this.#stat.mode & MODE.TYPE) === MODE.DIRECTORY
    const last = exists && !exchanged && (isDirectory || this.#stat.links === 1)
    const loses = exists && !exchanged && !same
    const fate = fateOfRename(table, r, movedType, this.#stat.mode & MODE.TYPE)
    if (fate === 'crosses') return -E.XDEV
    const kept = loses ? this.#beforeLoss(volume, newParent, newName, replaced, last) : 0
    if (kept < 0) return kept
    touchRenamed(toucher, table, r, fate === 'local' ? undefined : bytes)
    const { uid, gid } = this.#madeBy(volume, request, parent)
    const move = { flags: r.flags, uid, gid }
    if (exchanged) this.parts.succession.exchanges.begin(volume, request, moved)
    const done = renameEntry(from, r.nameAddress, to, r.newNameAddress, move)
    if (done < 0) return done
    if (!same) this.#renameNodes(volume, r, moving, replaced, exchanged)
    for (const directory of [parent, newParent]) stream.oweIf(volume, directory)
    const isTold = stream.concerns(volume, parent) && stream.concerns(volume, newParent)
    const sent = fate === 'replicated' && isTold
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
      if ((r.flags & RENAME.WHITEOUT) !== 0) this.#oweWhiteout(volume, from, r)
    }
    if (last && replaced !== undefined) replaced.gone = true
    reply.head(request, 0)
    return answer(this.parts, volume, sent)
  }

  /** The data plane that died had renamed it. `found`: whether there is something at the old name, and `stat` shows it. */
  #isRenamed(volume: Volume, request: Request, found: number, r: Renaming): boolean {
    if ((r.flags & RENAME.EXCHANGE) !== 0) {
      const was = this.parts.succession.exchanges.begun(volume, request)
      return found === 0 && was !== undefined && was !== this.#stat.inode
    }
    if (found === -E.NOENT) return true
    const isWhiteout = (this.#stat.mode & MODE.TYPE) === MODE.CHARACTER && this.#stat.rdev === 0
    return found === 0 && (r.flags & RENAME.WHITEOUT) !== 0 && isWhiteout
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
}
