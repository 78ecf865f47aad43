/**
 * Tells the journal what is about to change, once for each key and stamp: a key that was touched costs a test of a
 * flag on the node, and no path is built. Used by the server and by the follower, each with its own journal.
 */
import { foreignKey } from './journal/gaps.js'
import { MODE } from './libc.js'
import type { Node, NodeTable } from './nodes.js'
import { nameAddress, pathIn } from './nodes.js'
import type { Journal } from './resync-port.js'
import { StatBuffer, changedOf } from './stat.js'

const stat = new StatBuffer()

export class Toucher {
  #unflushed = false

  constructor(
    readonly journal: Journal,
    readonly zoneBytes: number,
  ) {}

  /** Content between two offsets will change. */
  data(table: NodeTable, node: Node, offset: number, length: number): void {
    if (node.gone || node.local) return
    this.#search(table, node)
    const first = Math.floor(offset / this.zoneBytes)
    const last = Math.floor((offset + Math.max(length, 1) - 1) / this.zoneBytes)
    if (last - first > ZONES_AT_ONCE_MAX) {
      this.whole(table, node)
      return
    }
    this.#renew(node)
    for (let zone = first; zone <= last; zone++) {
      if (isMarked(node, zone)) continue
      mark(node, zone)
      const path = this.#pathOf(table, node)
      if (path !== undefined) this.journal.touchZone(table.volume, path, zone)
    }
    this.#flush()
  }

  meta(table: NodeTable, node: Node): void {
    if (node.gone || node.local) return
    this.#search(table, node)
    this.#renew(node)
    if (node.touchedMeta) return
    node.touchedMeta = true
    const path = this.#pathOf(table, node)
    if (path !== undefined) this.journal.touchMeta(table.volume, path)
    this.#flush()
  }

  /** Content from here to the end changes in a way that zones can't say (truncate, collapse). */
  whole(table: NodeTable, node: Node): void {
    if (node.gone || node.local) return
    const path = this.#pathOf(table, node)
    if (path !== undefined) this.journal.touchEntry(table.volume, path)
    this.#flush()
  }

  /** A name appears or goes away, or what it stands for changes. `bytes`: of what was there already and gets this name. */
  entry(table: NodeTable, directory: Node, name: string, bytes = 0): void {
    if (directory.gone || directory.local) return
    this.#search(table, directory)
    this.journal.touchEntry(table.volume, pathIn(directory, name) ?? '', bytes)
    this.#unflushed = true
    this.#flush()
  }

  /**
   * A name of a node with further links goes away: what was recorded under that name must be found under another.
   * When none is known, everything has to be compared: rare (a link that was never looked up since the mount).
   */
  moved(table: NodeTable, directory: Node, name: string, node: Node | undefined): void {
    if (directory.gone || directory.local) return
    const path = pathIn(directory, name)
    const isHeld = path === undefined || this.journal.holds(table.volume, path)
    if (!isHeld && !this.#isForeignName(table, directory, name)) return
    const others = [{ parent: node?.parent, name: node?.name }, ...(node?.others ?? [])]
    const other = others.find((one) => one.parent !== directory || one.name !== name)
    const known = other?.parent === undefined ? undefined : pathIn(other.parent, other.name ?? '')
    this.journal.touchEntry(table.volume, known ?? '')
    this.#unflushed = true
    this.#flush()
  }

  /**
   * Before the first change of an inode: what others did to it while nobody was in charge is told by its time, which is about to become
   * that of our change. A copy that is finished ends these questions.
   */
  #search(table: NodeTable, node: Node): void {
    if (node.searched || this.journal.gaps.length === 0) return
    node.searched = true
    const path = node.path()
    if (path === undefined || !this.#isForeign(table, node)) return
    if (this.#keyOf(table, node) === 'entry') this.journal.touchEntry(table.volume, path)
    else this.journal.touchNames(table.volume, path)
    this.#unflushed = true
  }

  #keyOf(table: NodeTable, node: Node): 'entry' | 'names' {
    const isDirectory = node.type === MODE.DIRECTORY
    if (!isDirectory || node.parent === undefined)
      return foreignKey({ isDirectory, isParentForeign: false })
    // Looking at the parent may open descriptors, and close those that are not in use: the caller has this one.
    node.pins++
    const isParentForeign = this.#isForeign(table, node.parent)
    node.pins--
    return foreignKey({ isDirectory, isParentForeign })
  }

  #isForeign(table: NodeTable, node: Node): boolean {
    const path = node.path()
    if (path === undefined || table.stat(node, stat) < 0) return false
    return this.journal.isForeign(table.volume, path, changedOf(stat))
  }

  /** The same of a name that may never have been looked up. */
  #isForeignName(table: NodeTable, directory: Node, name: string): boolean {
    const path = pathIn(directory, name)
    if (path === undefined || this.journal.gaps.length === 0) return false
    const fd = table.descriptor(directory)
    if (fd < 0 || stat.ofName(fd, nameAddress(name)) < 0) return false
    return this.journal.isForeign(table.volume, path, changedOf(stat))
  }

  #pathOf(table: NodeTable, node: Node): string | undefined {
    this.#unflushed = true
    const path = node.path()
    if (path !== undefined) return path
    // An unnamed file is part of the tree only when it is linked: then its name is touched. A file whose
    // remaining names are not known can only be found by comparing everything.
    if (node.linkable) return undefined
    this.journal.touchEntry(table.volume, '')
    return undefined
  }

  #flush(): void {
    if (!this.#unflushed) return
    this.#unflushed = false
    this.journal.flush()
  }

  #renew(node: Node): void {
    if (node.stamp === this.journal.stamp) return
    node.stamp = this.journal.stamp
    node.touchedMeta = false
    node.touchedZones = 0
    node.moreZones = undefined
  }
}

/** A change of more zones than this at once is a change of the whole file. */
const ZONES_AT_ONCE_MAX = 1024
const INLINE_ZONES = 32
/** Zones from here on (of files beyond 16 TiB) have no flag: the journal is asked each time. */
const FLAGGED_ZONES_MAX = 2 ** 26

function isMarked(node: Node, zone: number): boolean {
  if (zone >= FLAGGED_ZONES_MAX) return false
  if (zone < INLINE_ZONES) return (node.touchedZones & (1 << zone)) !== 0
  const word = node.moreZones?.[zone >>> 5]
  return word !== undefined && (word & (1 << (zone & 31))) !== 0
}

function mark(node: Node, zone: number): void {
  if (zone < INLINE_ZONES) {
    node.touchedZones |= 1 << zone
    return
  }
  if (zone >= FLAGGED_ZONES_MAX) return
  const index = zone >>> 5
  let words = node.moreZones
  if (words === undefined || index >= words.length) {
    // Doubling: a file of 1 TiB needs half a megabyte.
    const larger = new Uint32Array(Math.max(16, 2 ** Math.ceil(Math.log2(index + 1))))
    if (words !== undefined) larger.set(words)
    node.moreZones = words = larger
  }
  words[index] = (words[index] ?? 0) | (1 << (zone & 31))
}
