/**
 * A set of keys: what may differ between the two trees. Compact (a million keys below 150 MB) and cheap to add to,
 * because the loop does it before a write. Keys of one directory that grow too many become one key of the directory.
 */
import type { BytePath } from '../resync-port.js'
import { nameOf, parentOf } from './path.js'
import { ZoneSet } from './zones.js'

/** More entry keys than this in one directory are one entry key of the directory. */
export const DIRECTORY_ENTRIES_MAX = 10_000
/** More keys than this in one volume are one entry key of its root. */
export const VOLUME_KEYS_MAX = 1_500_000
/** Volumes of a module (the configuration allows 16). */
export const VOLUMES_MAX = 64

/** Names of one directory: one name alone, several, or ALL of them (collapsed). */
type Names = BytePath | Set<BytePath>
// A name never contains a slash, so this can't be one.
const ALL = '/all'

interface Volume {
  /** Entry keys by directory. The entry key of the root itself is kept apart, in `whole`. */
  readonly entries: Map<BytePath, Names>
  /** A number alone is the only zone of its file: an object for each of a million files would be half of the memory. */
  readonly zones: Map<BytePath, number | ZoneSet>
  readonly metas: Set<BytePath>
  /** Directories of which the names are compared, and nothing beneath them. */
  readonly names: Set<BytePath>
  whole: boolean
  count: number
}

export interface KeysOptions {
  /** A zone of a path that has an entry key says nothing new: leave it out. Default true. */
  readonly fold?: boolean
}

export class Keys {
  readonly #volumes: (Volume | undefined)[] = []
  readonly #fold: boolean
  #zones = 0

  constructor(options: KeysOptions = {}) {
    this.#fold = options.fold ?? true
  }

  /** Number of keys. */
  get size(): number {
    return this.#volumes.reduce((sum, volume) => sum + (volume?.count ?? 0), 0)
  }

  /** Number of zone keys: each stands for at most one zone of content. */
  get zoneCount(): number {
    return this.#zones
  }

  /** True when the key is new to this set. */
  addEntry(index: number, path: BytePath): boolean {
    const volume = this.#volume(index)
    if (volume.whole) return false
    if (path === '') {
      this.#collapse(volume)
      return true
    }
    const directory = parentOf(path)
    const names = volume.entries.get(directory)
    if (names === ALL) return false
    const added = this.#addName(volume, directory, nameOf(path), names)
    if (added && this.#fold) this.#forgetFile(volume, path)
    if (added && names instanceof Set && names.size > DIRECTORY_ENTRIES_MAX) {
      volume.count -= names.size
      volume.entries.set(directory, ALL)
      this.addEntry(index, directory)
    }
    return added
  }

  /** True when the key is new to this set. */
  addZone(index: number, path: BytePath, zone: number): boolean {
    const volume = this.#volume(index)
    if (volume.whole || (this.#fold && hasEntry(volume, path))) return false
    if (!putZone(volume.zones, path, zone)) return false
    this.#zones += 1
    this.#counted(volume)
    return true
  }

  /** True when the key is new to this set. */
  addMeta(index: number, path: BytePath): boolean {
    return this.#addPath('metas', index, path)
  }

  /** Names in this directory may have come or gone. True when the key is new to this set. */
  addNames(index: number, path: BytePath): boolean {
    return this.#addPath('names', index, path)
  }

  /** Is there a key of the names of exactly this directory? */
  hasNames(index: number, path: BytePath): boolean {
    return this.#volumes[index]?.names.has(path) === true
  }

  /** Does a key tell of a change that gave this inode its time: one of its own, or one of a name in it? */
  tellsOf(index: number, path: BytePath): boolean {
    const volume = this.#volumes[index]
    return this.holds(index, path) || this.covers(index, path) || volume?.entries.has(path) === true
  }

  /** Is there a key of exactly this path? */
  holds(index: number, path: BytePath): boolean {
    const volume = this.#volumes[index]
    if (volume === undefined) return false
    return (
      volume.whole ||
      hasEntry(volume, path) ||
      volume.zones.has(path) ||
      volume.metas.has(path) ||
      volume.names.has(path)
    )
  }

  /** Is the path beneath an entry key (not counting one of its own)? */
  covers(index: number, path: BytePath): boolean {
    const volume = this.#volumes[index]
    if (volume === undefined || path === '') return false
    if (volume.whole) return true
    for (let above = parentOf(path); above !== ''; above = parentOf(above)) {
      if (hasEntry(volume, above)) return true
    }
    return false
  }

  /** All keys, entries first. */
  visit(visitor: KeyVisitor): void {
    this.#volumes.forEach((volume, index) => {
      if (volume === undefined) return
      if (volume.whole) visitor.entry(index, '')
      for (const [directory, names] of volume.entries) {
        const prefix = directory === '' ? '' : `${directory}/`
        if (typeof names !== 'string') for (const name of names) visitor.entry(index, prefix + name)
        else if (names !== ALL) visitor.entry(index, prefix + names)
      }
      for (const [path, zones] of volume.zones) visitor.zones(index, path, setOf(zones))
      for (const path of volume.metas) visitor.meta(index, path)
      for (const path of volume.names) visitor.names(index, path)
    })
  }

  /** Adds all keys of another set. */
  addAll(other: Keys): void {
    other.visit({
      entry: (volume, path) => this.addEntry(volume, path),
      zones: (volume, path, zones) => {
        for (const zone of zones.list()) this.addZone(volume, path, zone)
      },
      meta: (volume, path) => this.addMeta(volume, path),
      names: (volume, path) => this.addNames(volume, path),
    })
  }

  #volume(index: number): Volume {
    const known = this.#volumes[index]
    if (known !== undefined) return known
    if (!Number.isInteger(index) || index < 0 || index >= VOLUMES_MAX) {
      throw new RangeError(`volume ${index} is not one of 0 to ${VOLUMES_MAX - 1}`)
    }
    const volume: Volume = {
      entries: new Map(),
      zones: new Map(),
      metas: new Set(),
      names: new Set(),
      whole: false,
      count: 0,
    }
    this.#volumes[index] = volume
    return volume
  }

  #addName(volume: Volume, directory: BytePath, name: BytePath, names: Names | undefined): boolean {
    if (names === undefined) volume.entries.set(directory, name)
    else if (typeof names !== 'string') {
      if (names.has(name)) return false
      names.add(name)
    } else {
      if (names === name) return false
      volume.entries.set(directory, new Set([names, name]))
    }
    this.#counted(volume)
    return true
  }

  #forgetFile(volume: Volume, path: BytePath): void {
    const zones = volume.zones.get(path)
    if (zones !== undefined) {
      volume.zones.delete(path)
      volume.count -= countOf(zones)
      this.#zones -= countOf(zones)
    }
    if (volume.metas.delete(path)) volume.count -= 1
    if (volume.names.delete(path)) volume.count -= 1
  }

  #addPath(kind: 'metas' | 'names', index: number, path: BytePath): boolean {
    const volume = this.#volume(index)
    const paths = volume[kind]
    if (volume.whole || paths.has(path) || (this.#fold && hasEntry(volume, path))) return false
    paths.add(path)
    this.#counted(volume)
    return true
  }

  #counted(volume: Volume): void {
    volume.count += 1
    if (volume.count > VOLUME_KEYS_MAX) this.#collapse(volume)
  }

  /** The whole volume may differ. */
  #collapse(volume: Volume): void {
    for (const zones of volume.zones.values()) this.#zones -= countOf(zones)
    volume.entries.clear()
    volume.zones.clear()
    volume.metas.clear()
    volume.names.clear()
    volume.whole = true
    volume.count = 1
  }
}

export interface KeyVisitor {
  entry(volume: number, path: BytePath): void
  zones(volume: number, path: BytePath, zones: ZoneSet): void
  meta(volume: number, path: BytePath): void
  names(volume: number, path: BytePath): void
}

function hasEntry(volume: Volume, path: BytePath): boolean {
  if (volume.entries.size === 0) return false
  const names = volume.entries.get(parentOf(path))
  if (names === undefined) return false
  if (typeof names !== 'string') return names.has(nameOf(path))
  return names === ALL || names === nameOf(path)
}

/** True when the zone is new. */
function putZone(zones: Map<BytePath, number | ZoneSet>, path: BytePath, zone: number): boolean {
  const known = zones.get(path)
  if (known === undefined) zones.set(path, zone)
  else if (typeof known !== 'number') return known.add(zone)
  else if (known === zone) return false
  else {
    const both = setOf(known)
    both.add(zone)
    zones.set(path, both)
  }
  return true
}

function setOf(zones: number | ZoneSet): ZoneSet {
  if (typeof zones !== 'number') return zones
  const set = new ZoneSet()
  set.add(zones)
  return set
}

function countOf(zones: number | ZoneSet): number {
  return typeof zones === 'number' ? 1 : zones.size
}
