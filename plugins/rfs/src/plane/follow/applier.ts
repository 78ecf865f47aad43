/**
 * Applies the server's ops to this node's tree, strictly in their order. It journals what it applies, like the server.
 * An op that fails (the disk is full) ends the session with the reason: a follower that misses one op is no copy.
 */
import {
  linkDescriptor,
  makeEntry,
  makeFile,
  makeUnnamed,
  renameEntry,
  setAttributes,
  setMtime,
} from '../changes.js'
import {
  AT,
  E,
  FALLOC,
  MODE,
  RENAME,
  cstring,
  errnoName,
  fallocate,
  ftruncate,
  pwrite,
  removexattr,
  selfPath,
  setxattr,
  unlinkat,
} from '../libc.js'
import { StatBuffer } from '../stat.js'
import {
  ATTRIBUTE,
  KIND,
  MAKE,
  NUMBERED,
  REMOVE,
  RENAMED,
  SYNC,
  type Attributes,
  type OpWriter,
} from '../link/ops.js'
import type { InBuffer } from '../link/records.js'
import { nameAddress, type Node } from '../nodes.js'
import type { PlaneParts } from '../parts.js'
import { Toucher } from '../touch.js'
import type { Volume } from '../volume.js'
import { emptyOfLeftOut } from './left-out.js'
import { MalformedRecord, OpReader } from './record.js'
import { FollowerWindows } from './windows.js'

/** An op could not be applied. The message names the path and the error. */
export class ApplyFailure extends Error {}

export class Applier {
  /** Number of the last numbered op that was applied. */
  applied = 0
  /** Of the buffer that the op lies in. */
  #address = 0
  readonly #op = new OpReader()
  readonly #stat = new StatBuffer()
  readonly #toucher: Toucher
  readonly #attributes: Attributes = {
    valid: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSeconds: 0,
    atimeNanos: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
  }
  readonly #windows: FollowerWindows

  constructor(
    readonly parts: PlaneParts,
    readonly volumes: readonly Volume[],
    readonly answers: OpWriter,
    readonly onFailed: (reason: string) => void,
  ) {
    this.#windows = new FollowerWindows(parts, volumes, answers, (directory, error) =>
      onFailed(`syncfs on ${directory}: ${errnoName(error)}`),
    )
    this.#toucher = new Toucher(parts.journal, parts.launch.zoneBytes)
  }

  /** Throws MalformedRecord, ApplyFailure or TreeError. */
  apply(input: InBuffer): void {
    const op = this.#op
    this.#address = input.address
    op.start(input)
    if (op.kind === KIND.PULSE) return
    const volume = this.volumes[op.volume]
    if (volume === undefined) throw new MalformedRecord('there is no such volume')
    const handler = this.#handlers[op.kind]
    if (handler === undefined) throw new MalformedRecord(`its kind is ${op.kind}`)
    handler(volume)
    if (op.kind < NUMBERED) this.applied++
  }

  readonly #handlers: Readonly<Record<number, (volume: Volume) => void>> = {
    [KIND.WRITE]: (volume) => this.#write(volume),
    [KIND.WRITE_PART]: (volume) => this.#write(volume),
    [KIND.MAKE]: (volume) => this.#make(volume),
    [KIND.LINK]: (volume) => this.#link(volume),
    [KIND.REMOVE]: (volume) => this.#remove(volume),
    [KIND.RENAME]: (volume) => this.#rename(volume),
    [KIND.ATTRIBUTES]: (volume) => this.#setAttributes(volume),
    [KIND.SET_XATTR]: (volume) => this.#setXattr(volume),
    [KIND.REMOVE_XATTR]: (volume) => this.#removeXattr(volume),
    [KIND.ALLOCATE]: (volume) => this.#allocate(volume),
    [KIND.SYNC]: (volume) => this.#sync(volume),
    [KIND.INTRODUCE]: (volume) => this.#introduce(volume),
    [KIND.FORGET]: (volume) => this.#forget(volume),
    [KIND.TIMES]: (volume) => this.#times(volume),
    [KIND.FENCE]: () => undefined,
    [KIND.WINDOW]: () => this.#windows.close(this.#op.node),
    [KIND.WINDOW_DONE]: () => this.#windows.done(this.#op.node),
  }

  #node(volume: Volume, id: number): Node {
    const node = volume.table.get(id)
    if (node === undefined) throw new MalformedRecord('it names a node that was not introduced')
    return node
  }

  #directory(volume: Volume, id: number): Node {
    const node = this.#node(volume, id)
    if (node.type !== MODE.DIRECTORY) throw new MalformedRecord('it takes a file for a directory')
    return node
  }

  #descriptor(volume: Volume, node: Node): number {
    const fd = volume.table.descriptor(node)
    return this.#must(fd, volume, node, 'opening')
  }

  #must(result: number, volume: Volume, node: Node | undefined, doing: string): number {
    if (result >= 0) return result
    const path = node?.path() ?? '(a file without a name)'
    const shown = Buffer.from(path, 'latin1').toString('utf8')
    throw new ApplyFailure(`${doing} ${volume.directory}/${shown}: ${errnoName(result)}`)
  }

  #write(volume: Volume): void {
    const op = this.#op
    const offset = op.u64()
    const node = this.#node(volume, op.node)
    const fd = this.#descriptor(volume, node)
    let size = op.rest
    let from = this.#address + op.position
    this.#toucher.data(volume.table, node, offset, size)
    let at = offset
    while (size > 0) {
      const done = pwrite(fd, from, size, at)
      if (done === -E.INTR) continue
      // A write of nothing without an error would go on for ever.
      this.#must(done === 0 ? -E.NOSPC : done, volume, node, 'writing')
      size -= done
      from += done
      at += done
    }
  }

  #make(volume: Volume): void {
    const op = this.#op
    const parent = this.#directory(volume, op.node)
    const id = op.u64()
    const making = {
      mode: op.number,
      umask: op.u32(),
      uid: op.i32(),
      gid: op.i32(),
      rdev: op.u64(),
      target: '',
    }
    const unnamed = (op.flags & MAKE.UNNAMED) !== 0
    const name = unnamed ? op.text() : op.name()
    making.target = op.text()
    const type = making.mode & MODE.TYPE
    const { table } = volume
    const known = table.get(id)
    if (known?.isRoot === true) throw new MalformedRecord('it makes the root')
    if (known !== undefined) table.expel(known)
    if (!unnamed) this.#toucher.entry(table, parent, name)
    const directory = this.#descriptor(volume, parent)
    const opens = unnamed || type === MODE.FILE
    parent.pins++
    const made = unnamed
      ? makeUnnamed(directory, making)
      : opens
        ? makeFile(directory, nameAddress(name), making, table.descriptors)
        : makeEntry(directory, nameAddress(name), making)
    parent.pins--
    this.#must(made, volume, parent, `making ${JSON.stringify(name)} in`)
    const node = table.obtain(id, type)
    node.lookups = 1
    node.linkable = unnamed
    if (!unnamed) table.addName(node, parent, name)
    if (opens) table.opened(node, made)
  }

  #link(volume: Volume): void {
    const op = this.#op
    const { table } = volume
    const node = this.#node(volume, op.node)
    const parent = this.#directory(volume, op.u64())
    const name = op.name()
    this.#toucher.entry(table, parent, name)
    node.pins++
    const fd = this.#descriptor(volume, node)
    const directory = this.#descriptor(volume, parent)
    const made = linkDescriptor(fd, directory, nameAddress(name))
    node.pins--
    this.#must(made, volume, parent, `linking ${JSON.stringify(name)} in`)
    table.addName(node, parent, name)
    node.linkable = false
  }

  #remove(volume: Volume): void {
    const op = this.#op
    const { table } = volume
    const parent = this.#directory(volume, op.node)
    const node = table.get(op.u64())
    const name = op.name()
    const last = (op.flags & REMOVE.LAST) !== 0
    parent.pins++
    this.#beforeLoss(volume, parent, name, node, last)
    this.#toucher.entry(table, parent, name)
    const directory = this.#descriptor(volume, parent)
    const flags = (op.flags & REMOVE.DIRECTORY) !== 0 ? AT.REMOVEDIR : 0
    let removed = unlinkat(directory, nameAddress(name), flags)
    if (removed === -E.NOTEMPTY) {
      emptyOfLeftOut(this.parts, volume, parent, name)
      removed = unlinkat(directory, nameAddress(name), flags)
    }
    parent.pins--
    this.#must(removed, volume, parent, `removing ${JSON.stringify(name)} from`)
    this.#lost(volume, parent, name, node, last)
  }

  /** A file that keeps other links and loses its last known name keeps its descriptor instead. */
  #beforeLoss(
    volume: Volume,
    parent: Node,
    name: string,
    node: Node | undefined,
    last: boolean,
  ): void {
    if (last) return
    this.#toucher.moved(volume.table, parent, name, node)
    if (node !== undefined && node.others === undefined) this.#descriptor(volume, node)
  }

  #lost(volume: Volume, parent: Node, name: string, node: Node | undefined, last: boolean): void {
    if (node === undefined || node.isRoot) return
    if (last) volume.table.expel(node)
    else volume.table.removeName(node, parent, name)
  }

  #rename(volume: Volume): void {
    const op = this.#op
    const { table } = volume
    const flags = op.number & (RENAME.NOREPLACE | RENAME.EXCHANGE | RENAME.WHITEOUT)
    const last = (op.flags & RENAMED.REPLACED_LAST) !== 0
    const parent = this.#directory(volume, op.node)
    const newParent = this.#directory(volume, op.u64())
    const moving = table.get(op.u64())
    const replaced = table.get(op.u64())
    const uid = op.i32()
    const gid = op.i32()
    const name = op.name()
    const newName = op.name()
    const exchanged = (flags & RENAME.EXCHANGE) !== 0
    parent.pins++
    newParent.pins++
    if (replaced !== undefined && !exchanged) {
      this.#beforeLoss(volume, newParent, newName, replaced, last)
    }
    this.#toucher.entry(table, parent, name)
    this.#toucher.entry(table, newParent, newName)
    const from = this.#descriptor(volume, parent)
    const to = this.#descriptor(volume, newParent)
    const move = { flags, uid, gid }
    let done = renameEntry(from, cstring(name), to, cstring(newName), move)
    if (done === -E.NOTEMPTY) {
      emptyOfLeftOut(this.parts, volume, newParent, newName)
      done = renameEntry(from, cstring(name), to, cstring(newName), move)
    }
    parent.pins--
    newParent.pins--
    this.#must(done, volume, parent, `renaming ${JSON.stringify(name)} in`)
    if (moving === replaced) return
    if (replaced !== undefined) this.#lost(volume, newParent, newName, replaced, last)
    if (moving !== undefined) {
      table.addName(moving, newParent, newName)
      table.removeName(moving, parent, name)
    }
    if (exchanged && replaced !== undefined) table.addName(replaced, parent, name)
  }

  #setAttributes(volume: Volume): void {
    const op = this.#op
    const node = this.#node(volume, op.node)
    const a = op.attributes(this.#attributes)
    const fd = this.#descriptor(volume, node)
    if ((a.valid & ATTRIBUTE.SIZE) !== 0) {
      this.#must(this.#stat.ofDescriptor(fd), volume, node, 'asking')
      const from = Math.min(a.size, this.#stat.size)
      this.#toucher.data(volume.table, node, from, Math.max(1, this.#stat.size - from))
    } else {
      this.#toucher.meta(volume.table, node)
    }
    this.#must(setAttributes(fd, a), volume, node, 'changing attributes of')
  }

  #setXattr(volume: Volume): void {
    const op = this.#op
    const node = this.#node(volume, op.node)
    const name = op.text()
    if (op.rest !== op.number) throw new MalformedRecord('the value has another length')
    this.#toucher.meta(volume.table, node)
    const path = selfPath(this.#descriptor(volume, node))
    const done = setxattr(path, cstring(name), this.#address + op.position, op.rest, 0)
    this.#must(done, volume, node, `setting ${name} of`)
  }

  #removeXattr(volume: Volume): void {
    const node = this.#node(volume, this.#op.node)
    const name = this.#op.text()
    this.#toucher.meta(volume.table, node)
    const done = removexattr(selfPath(this.#descriptor(volume, node)), cstring(name))
    this.#must(done, volume, node, `removing ${name} of`)
  }

  #allocate(volume: Volume): void {
    const op = this.#op
    const node = this.#node(volume, op.node)
    const mode = op.number
    const offset = op.u64()
    const length = op.u64()
    const shifts = (mode & (FALLOC.COLLAPSE | FALLOC.INSERT)) !== 0
    if (shifts) this.#toucher.whole(volume.table, node)
    else this.#toucher.data(volume.table, node, offset, length)
    const fd = this.#descriptor(volume, node)
    const done = fallocate(fd, mode, offset, length)
    // Reserving space is a promise about this disk; content and size are what must be the same on both.
    const unsupported = done === -E.OPNOTSUPP && (mode & ~FALLOC.KEEP_SIZE) === 0
    if (!unsupported) this.#must(done, volume, node, 'allocating in')
    else if (mode === 0) this.#grow(volume, node, fd, offset + length)
  }

  #grow(volume: Volume, node: Node, fd: number, size: number): void {
    this.#must(this.#stat.ofDescriptor(fd), volume, node, 'asking')
    if (this.#stat.size < size) this.#must(ftruncate(fd, size), volume, node, 'growing')
  }

  #sync(volume: Volume): void {
    const op = this.#op
    const token = op.number
    const node = this.#node(volume, op.node)
    const fd = this.#descriptor(volume, node)
    node.pins++
    const dataOnly = (op.flags & SYNC.DATA_ONLY) !== 0
    this.parts.pool.fsync(volume.syncing, fd, dataOnly, (result) => {
      volume.table.unpin(node)
      const failed = result < 0 && result !== -E.INVAL && result !== -E.BADF
      if (failed) this.onFailed(`fsync on ${volume.directory}: ${errnoName(result)}`)
      else this.answers.plain(KIND.SYNCED, token)
    })
  }

  #introduce(volume: Volume): void {
    const op = this.#op
    if (op.node === 0) throw new MalformedRecord('it introduces nothing')
    const parent = this.#directory(volume, op.u64())
    const name = op.name()
    const known = volume.table.get(op.node)
    if (known?.isRoot === true) throw new MalformedRecord('it introduces the root')
    const node = volume.table.obtain(op.node, op.number & MODE.TYPE)
    node.lookups = 1
    volume.table.addName(node, parent, name)
  }

  #forget(volume: Volume): void {
    const node = volume.table.get(this.#op.node)
    if (node !== undefined) volume.table.forget(node, 1)
  }

  #times(volume: Volume): void {
    const op = this.#op
    const node = this.#node(volume, op.node)
    const seconds = op.seconds()
    this.#toucher.meta(volume.table, node)
    const done = setMtime(this.#descriptor(volume, node), seconds, op.number)
    this.#must(done, volume, node, 'setting the time of')
  }
}
