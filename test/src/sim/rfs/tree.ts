/** A replicated tree of few small files, and the disk beneath it: what was not synced may be lost or torn by a power cut. */
import type { Random } from '../random.js'

export const zonesPerFile = 3
/** The largest that is allowed: the rules about sizes see something. */
export const zoneBytes = 1024 * 1024
export const paths: readonly string[] = ['d/one', 'd/two', 'd/e/three', 'four', 'five', 'six']

export type Change =
  | { readonly kind: 'create' | 'remove'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly zone: number; readonly value: number }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }

/** Contents of a file's zones; undefined: there is no file. */
export type File = readonly number[] | undefined

/** What a change makes of the file at one path. */
export function changed(file: File, at: string, change: Change, moved: File): File {
  switch (change.kind) {
    case 'create':
      return file ?? Array<number>(zonesPerFile).fill(0)
    case 'remove':
      return undefined
    case 'write':
      return file?.map((value, zone) => (zone === change.zone ? change.value : value))
    case 'rename':
      return at === change.to ? moved : undefined
  }
}

export function textOf(file: File): string {
  return file === undefined ? '-' : file.join(',')
}

/** The directory that holds a path. */
export function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export const directories: readonly string[] = ['', 'd', 'd/e']

export interface TreeImage {
  readonly files: ReadonlyMap<string, File>
  readonly changed: ReadonlyMap<string, number>
}

export class Tree {
  isFull = false
  /** When files and directories were changed, by the clock of their machine. */
  #changed = new Map<string, number>()
  #files = new Map<string, File>()
  #disk = new Map<string, File>()
  /** Paths and zones (`path#zone`) that are not on the disk as they are. */
  #dirty = new Set<string>()
  #torn = 0

  /** The time of day of its machine. */
  constructor(readonly clock: () => number) {}

  /** As an inode says it. */
  changedAt(path: string): { readonly seconds: number; readonly nanos: number } {
    const ms = this.#changed.get(path) ?? 0
    // Never a whole second: this file system keeps parts of one.
    return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 + 1 }
  }

  get dirty(): ReadonlySet<string> {
    return this.#dirty
  }

  file(path: string): File {
    return this.#files.get(path)
  }

  /** False: it can't be done, and nothing was changed. */
  apply(change: Change): boolean {
    const { path } = change
    const file = this.file(path)
    if ((file === undefined) !== (change.kind === 'create')) return false
    if (change.kind === 'rename' && change.to === path) return true
    this.set(path, changed(file, path, change, undefined))
    if (change.kind === 'rename') this.set(change.to, file)
    return true
  }

  set(path: string, file: File): void {
    const before = this.#files.get(path)
    if (textOf(before) === textOf(file)) return
    this.#changed.set(path, this.clock())
    if ((before === undefined) !== (file === undefined)) {
      this.#changed.set(directoryOf(path), this.clock())
    }
    if (before === undefined || file === undefined) this.#dirty.add(path)
    for (let zone = 0; zone < zonesPerFile; zone += 1) {
      if (before?.[zone] !== file?.[zone]) this.#dirty.add(`${path}#${zone}`)
    }
    this.#files.set(path, file)
  }

  /** What of `dirty` is still there goes to the disk. */
  sync(dirty: Iterable<string>): void {
    // Names first: content has no place without them.
    for (const key of [...dirty].sort((one, other) => one.length - other.length)) {
      const [path = '', zone] = key.split('#')
      const file = this.#files.get(path)
      const kept = this.#disk.get(path)
      if (zone === undefined) this.#disk.set(path, file && (kept ?? file.map(() => 0)))
      else if (file !== undefined && kept !== undefined) {
        this.#disk.set(path, replaced(kept, Number(zone), file[Number(zone)] ?? 0))
      }
      this.#dirty.delete(key)
    }
  }

  syncPath(path: string): void {
    this.sync([...this.#dirty].filter((key) => key === path))
    this.sync([...this.#dirty].filter((key) => key.startsWith(`${path}#`)))
  }

  syncAll(): void {
    for (const path of paths) this.syncPath(path)
  }

  /** Each change that was not synced survived, or did not, or only in part. */
  losePower(random: Random): void {
    for (const path of paths) {
      const isKept = !this.#dirty.has(path) || random.chance(0.5)
      const now = this.#files.get(path)
      if (isKept && now === undefined) this.#disk.set(path, undefined)
      const base =
        isKept && now !== undefined ? (this.#disk.get(path) ?? now.map(() => 0)) : undefined
      if (base !== undefined) this.#disk.set(path, this.#mixed(path, base, now, random))
      else if (!isKept) this.#tear(path, random)
    }
    this.#dirty.clear()
    this.#files = new Map(this.#disk)
  }

  image(): TreeImage {
    return { files: new Map(this.#disk), changed: new Map(this.#changed) }
  }

  /** Another disk. Undefined: an empty one. */
  restore(image: TreeImage | undefined): void {
    this.isFull = false
    this.#files = new Map(image?.files)
    this.#disk = new Map(image?.files)
    this.#changed = new Map(image?.changed)
    this.#dirty.clear()
  }

  #mixed(path: string, base: readonly number[], now: File, random: Random): number[] {
    return base.map((kept, zone) => {
      if (!this.#dirty.has(`${path}#${zone}`)) return kept
      const chance = random.next()
      if (chance < 0.45) return now?.[zone] ?? kept
      return chance < 0.85 ? kept : this.#garbage()
    })
  }

  /** The name is as it was; zones of the old file may have been written on. */
  #tear(path: string, random: Random): void {
    const kept = this.#disk.get(path)
    if (kept === undefined) return
    this.#disk.set(path, this.#mixed(path, kept, kept, random))
  }

  #garbage(): number {
    this.#torn -= 1
    return this.#torn
  }
}

function replaced(file: readonly number[], zone: number, value: number): readonly number[] {
  return file.map((before, at) => (at === zone ? value : before))
}
