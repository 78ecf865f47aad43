/**
 * The inodes of one volume that are known at this moment: by the kernel (server) or by the session (follower).
 * A node knows its names; its descriptor is opened by name when it is needed, and closed when too many are open.
 * That is safe because nobody else changes the tree beneath us, and a node that lost its last name keeps its descriptor.
 */
import { assert } from '@holdfast/sdk'
import { AT, E, MODE, O, addressOf, close, dup3, openat, selfPath } from './libc.js'
import type { Descriptors } from './descriptors.js'
import type { Exclusions } from './exclusions.js'
import type { StatBuffer } from './stat.js'
import type { RecoveredNames } from './recovered.js'
import type { BytePath } from './resync-port.js'

/** Node id of the root of every volume (FUSE fixes it). */
export const ROOT = 1

/** One name of a node: in which directory, and how it is called there (a byte string). */
export interface Name {
  readonly parent: Node
  readonly name: string
}

/** A longer chain of names than any real tree has: a peer that turned hostile made a circle. */
const DEPTH_MAX = 100_000

export class Node {
  /** -1, or the one descriptor: O_RDWR of a file, O_RDONLY of a directory, O_PATH of anything else. */
  fd = -1
  /** How often the kernel (or, on the follower, the server) was told about this node. */
  lookups = 0
  /** Names that other nodes have in this directory: as long as there is one, the node stays. */
  children = 0
  /** Jobs of worker threads on the descriptor: it is not closed meanwhile. */
  pins = 0
  /** Taken over from a data plane that died, which knew how often the kernel was told; nobody else does. */
  inherited = false
  /** The descriptor is O_RDONLY: when it was opened, nobody could write to this file. */
  readOnly = false
  /** Used since the descriptor cache looked last. */
  used = false
  /** No name and no link left: nothing that happens to it concerns the follower. */
  gone = false
  /** Left out of the replication (`<notreplicated>`): it and what is beneath it concern this node alone. */
  local = false
  /** Made without a name (O_TMPFILE): it may still get one. */
  linkable = false
  /** The session in which the follower was told about this node. */
  session = 0
  /** Its modification time still has to be told to the follower. */
  owed = false
  /** A write by a user may have to clear set-user-id or set-group-id bits; false once we looked and found none. */
  privileged = true
  /** Journal: keys touched under `stamp`. */
  stamp = -1
  /** It was asked whether others changed it while nobody was in charge: its time is that of our own change from then on. */
  searched = false
  touchedMeta = false
  touchedZones = 0
  moreZones: Uint32Array | undefined
  /** The first name known, if any. */
  parent: Node | undefined
  name = ''
  others: Name[] | undefined

  constructor(
    readonly id: number,
    /** File type bits of the mode. */
    readonly type: number,
  ) {}

  get isRoot(): boolean {
    return this.id === ROOT
  }

  get named(): boolean {
    return this.parent !== undefined || this.isRoot
  }

  /** The path relative to the root by the first name; undefined when a name on the way is not known. */
  path(): BytePath | undefined {
    if (this.isRoot) return ''
    let path = this.name
    let at = this.parent
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      if (at === undefined || at.isRoot) return at === undefined ? undefined : path
      path = `${at.name}/${path}`
      at = at.parent
    }
    return undefined
  }
}

/** The path of a name in a directory; undefined when the directory has none. */
export function pathIn(directory: Node, name: string): BytePath | undefined {
  const path = directory.path()
  if (path === undefined || path === '') return path === undefined ? undefined : name
  return `${path}/${name}`
}

const NAME_SCRATCH = Buffer.alloc(4097)
const NAME_SCRATCH_ADDRESS = addressOf(NAME_SCRATCH)

/** A name as bytes for one system call, in memory that the next use overwrites. */
export function nameAddress(name: string): number {
  const length = NAME_SCRATCH.write(name, 0, 'latin1')
  assert(length === name.length && length < 4097, 'a name fits into its buffer')
  NAME_SCRATCH[length] = 0
  return NAME_SCRATCH_ADDRESS
}

export class NodeTable {
  readonly #nodes = new Map<number, Node>()
  #recovered: RecoveredNames | undefined
  /** What of the tree concerns this node alone; set before anything is known of it. */
  exclusions: Exclusions | undefined
  readonly root: Node

  constructor(
    readonly volume: number,
    rootDescriptor: number,
    readonly descriptors: Descriptors,
    /** Told when a node leaves the table. */
    readonly onRemoved: (node: Node) => void = () => undefined,
  ) {
    this.root = new Node(ROOT, MODE.DIRECTORY)
    this.root.fd = rootDescriptor
    this.root.lookups = 1
    this.#nodes.set(ROOT, this.root)
  }

  get count(): number {
    return this.#nodes.size
  }

  get(id: number): Node | undefined {
    return this.#nodes.get(id) ?? (this.#recovered === undefined ? undefined : this.#inherit(id))
  }

  /** The node with this id if it is in use: nothing is taken over for this question. */
  inUse(id: number): Node | undefined {
    return this.#nodes.get(id)
  }

  /** The kernel may know any of these from a data plane that died. */
  inherit(names: RecoveredNames): void {
    this.#recovered = names
  }

  /** A file without a name that a data plane which died had open. */
  inheritNameless(id: number, type: number, fd: number, linkable: boolean): Node {
    const node = new Node(id, type)
    node.inherited = true
    node.lookups = 1
    node.linkable = linkable
    node.gone = !linkable
    this.#nodes.set(id, node)
    this.opened(node, fd)
    return node
  }

  #inherit(id: number): Node | undefined {
    const found = this.#recovered?.take(id) ?? []
    const [first] = found
    if (first === undefined) return undefined
    const node = new Node(id, first.type)
    node.inherited = true
    node.lookups = 1
    this.#nodes.set(id, node)
    for (const { parent, name } of found) {
      const directory = this.get(parent)
      if (directory !== undefined) this.addName(node, directory, name)
    }
    return node
  }

  all(): IterableIterator<Node> {
    return this.#nodes.values()
  }

  /** The node with this id, made when it is not known. The caller counts lookups. */
  obtain(id: number, type: number): Node {
    const known = this.get(id)
    if (known !== undefined) return known
    const node = new Node(id, type)
    this.#nodes.set(id, node)
    return node
  }

  addName(node: Node, parent: Node, name: string): void {
    if (node.parent === undefined) {
      node.local = this.leavesOut(parent, name, node.type)
      node.parent = parent
      node.name = name
    } else {
      if (node.parent === parent && node.name === name) return
      const others = (node.others ??= [])
      if (others.some((one) => one.parent === parent && one.name === name)) return
      others.push({ parent, name })
      // One name that is replicated is enough.
      node.local &&= this.leavesOut(parent, name, node.type)
    }
    parent.children++
  }

  /** Is what has this name in this directory left out of the replication? */
  leavesOut(parent: Node, name: string, type: number): boolean {
    if (this.exclusions === undefined) return false
    if (parent.local) return true
    const path = pathIn(parent, name)
    return path !== undefined && this.exclusions.matches(path, type === MODE.DIRECTORY)
  }

  removeName(node: Node, parent: Node, name: string): void {
    if (node.parent === parent && node.name === name) {
      const next = node.others?.pop()
      node.parent = next?.parent
      node.name = next?.name ?? ''
    } else {
      const at = node.others?.findIndex((one) => one.parent === parent && one.name === name) ?? -1
      if (at < 0) return
      node.others?.splice(at, 1)
    }
    if (node.others?.length === 0) node.others = undefined
    parent.children--
    this.#dropIfUnused(parent)
  }

  /** The kernel (or the server) forgets `count` of what it was told. */
  forget(node: Node, count: number): void {
    if (node.isRoot) return
    // The kernel forgets all that it was told at once. What it was told since may be more: then the node stays too long.
    node.lookups = Math.max(0, node.lookups - (node.inherited ? 1 : count))
    node.inherited = false
    this.#dropIfUnused(node)
  }

  /** The inode is gone for ever: whatever is known of it goes too, and its number may come back as another. */
  expel(node: Node): void {
    if (node.isRoot) return
    node.gone = true
    node.lookups = 0
    const { parent, name, others } = node
    for (const one of [...(others ?? [])]) this.removeName(node, one.parent, one.name)
    if (parent !== undefined) this.removeName(node, parent, name)
    // Whatever was beneath it was removed before it: only a confused peer leaves children.
    node.children = 0
    this.#dropIfUnused(node)
  }

  /** Undoes `obtain` for a node that nobody was told about. */
  dropIfUnused(node: Node): void {
    this.#dropIfUnused(node)
  }

  /** Jobs on the descriptor are over. */
  unpin(node: Node): void {
    node.pins--
    if (node.pins === 0 && this.#nodes.get(node.id) !== node) this.#close(node)
  }

  /**
   * The node's descriptor, or -errno. It may be closed by any later call: use it at once, or pin the node.
   */
  descriptor(node: Node): number {
    if (node.fd >= 0) {
      node.used = true
      return node.fd
    }
    const closed: Node[] = []
    let at = node
    while (at.fd < 0) {
      if (at.parent === undefined) return -E.STALE
      if (closed.push(at) > DEPTH_MAX) return -E.LOOP
      at = at.parent
    }
    for (let next = closed.pop(); next !== undefined; next = closed.pop()) {
      const fd = this.#open(next, at)
      if (fd < 0) return fd
      next.fd = fd
      this.descriptors.opened(next)
      at = next
    }
    return at.fd
  }

  /**
   * The same for a change of content. A file that could only be read when it was opened (its file system was read-only, it was
   * immutable) may be written by now; if not, the answer says why.
   */
  writable(node: Node): number {
    const fd = this.descriptor(node)
    if (fd < 0 || !node.readOnly) return fd
    const fresh = openat(AT.FDCWD, selfPath(fd), O.RDWR | O.CLOEXEC | O.NONBLOCK, 0)
    if (fresh < 0) return fresh
    // The number stays the same: a worker may be reading from it.
    const done = dup3(fresh, fd, O.CLOEXEC)
    close(fresh)
    node.readOnly = done < 0
    return done
  }

  /** This descriptor is the node's from now on. */
  opened(node: Node, fd: number): void {
    assert(node.fd < 0, 'a node that was made a moment ago is not open')
    node.fd = fd
    this.descriptors.opened(node)
  }

  /** Fills `stat`; opens nothing when the node has a name. Returns 0 or -errno. */
  stat(node: Node, stat: StatBuffer): number {
    if (node.fd >= 0) return stat.ofDescriptor(node.fd)
    if (node.parent === undefined) return -E.STALE
    const parent = this.descriptor(node.parent)
    return parent < 0 ? parent : stat.ofName(parent, nameAddress(node.name))
  }

  /** Closes everything but the root, which belongs to the volume. */
  clear(): void {
    for (const node of this.#nodes.values()) if (!node.isRoot && node.pins === 0) this.#close(node)
    this.#nodes.clear()
    this.#nodes.set(ROOT, this.root)
    this.root.children = 0
  }

  #open(node: Node, parent: Node): number {
    const flags = flagsFor(node.type)
    parent.used = true
    parent.pins++
    let fd = openat(parent.fd, nameAddress(node.name), flags, 0)
    if (fd === -E.MFILE) {
      this.descriptors.evict(64)
      fd = openat(parent.fd, nameAddress(node.name), flags, 0)
    }
    // A file that is immutable, or whose file system became read-only, can still be read.
    const isReadOnly = fd === -E.PERM || fd === -E.ACCES || fd === -E.ROFS
    node.readOnly = isReadOnly && node.type === MODE.FILE
    if (node.readOnly) {
      fd = openat(parent.fd, nameAddress(node.name), O.RDONLY | O.NOFOLLOW | O.CLOEXEC, 0)
    }
    parent.pins--
    return fd
  }

  #dropIfUnused(node: Node): void {
    if (node.lookups > 0 || node.children > 0 || node.isRoot) return
    // Its name objects may still be held by children of another table entry of the same id: only drop what is ours.
    if (this.#nodes.get(node.id) !== node) return
    this.#nodes.delete(node.id)
    this.onRemoved(node)
    if (node.pins === 0) this.#close(node)
    const { parent, others } = node
    node.parent = undefined
    node.others = undefined
    if (parent !== undefined) this.#releaseChild(parent)
    for (const one of others ?? []) this.#releaseChild(one.parent)
  }

  #releaseChild(parent: Node): void {
    parent.children--
    this.#dropIfUnused(parent)
  }

  #close(node: Node): void {
    if (node.fd < 0) return
    this.descriptors.closed(node)
    close(node.fd)
    node.fd = -1
  }
}

/** Devices and pipes are never opened for real: opening them has effects. */
function flagsFor(type: number): number {
  if (type === MODE.FILE) return O.RDWR | O.NOFOLLOW | O.CLOEXEC | O.NONBLOCK
  if (type === MODE.DIRECTORY) return O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC
  return O.PATH | O.NOFOLLOW | O.CLOEXEC
}
