/**
 * The journal: what may differ between the two trees, in windows, and on a store before the change that it announces. What the
 * store keeps through which death decides whether it can be trusted later; the simulator runs this same class.
 */
import { HoldfastError, messageOf } from '@holdfast/sdk'
import type { BytePath, Journal, KeySet, Standing } from '../resync-port.js'
import { Writer } from './bytes.js'
import {
  decodeInto,
  encodeKeys,
  encodePieces,
  putEntry,
  putMeta,
  putNames,
  putZones,
} from './codec.js'
import { gapsAtOpen, standingAtOpen, type Found, type JournalHeader } from './decide.js'
import {
  FRAME_HEAD_BYTES,
  HEADER_BYTES,
  decodeJournal,
  dropWindows,
  encodeHeader,
  putDrop,
  putWindow,
  sealFrame,
  type Window,
} from './format.js'
import { type Changed, closedGaps, type Gap, isForeign, type Moment } from './gaps.js'
import { Keys } from './keys.js'
import { PATH_BYTES_MAX, parentOf } from './path.js'

/** One file that can be replaced as a whole. Every method throws what the system says when it can't. */
export interface JournalStore {
  /** For messages. */
  readonly place: string
  /** Is there a file, of whatever content? */
  readonly exists: boolean
  /** When the file was written for the last time, by the clock that files are stamped with. Undefined: there is none. */
  readonly modifiedMs: number | undefined
  /** Undefined: there is no file. */
  load(): Buffer | undefined
  /** A new file in the place of the old one: whole and on the disk when this returns, else the old one is as it was. */
  replace(write: (put: (bytes: Buffer) => void) => void): void
  /** Only for the case that there is no room to replace it: the header (on the disk when this returns), and nothing else. */
  empty(header: Buffer): void
  /** At the end. Survives every death of the process, and not that of the machine. */
  append(bytes: Buffer): void
  /** The first sector, on the disk when this returns. */
  writeHeader(header: Buffer): void
  /** What was appended is on the disk when this returns. */
  sync(): void
  close(): void
}

export interface Opening {
  readonly bootId: string
  readonly zoneBytes: number
  /** The directories were covered until now: nobody else could change what is in them. */
  readonly isCovered: boolean
  readonly clock: () => Moment
}

const PENDING_BYTES_MAX = 64 * 1024
const PIECE_BYTES = 64 * 1024
/** A file is written anew when it is larger than this and than twice what it held when it was new. */
const ROTATE_BYTES_MIN = 4 * 1024 * 1024

/** Throws E_RFS_JOURNAL when nothing can be written. */
export class StoredJournal implements Journal {
  stamp = 1
  #header: JournalHeader
  #windows: Window[]
  /** What is recorded for the next round of a copy. */
  #set: Keys | undefined
  /** Of content that entry keys of the set stand for. */
  #setBytes = 0
  readonly #zoneBytes: number
  readonly #pending = new Writer(PENDING_BYTES_MAX * 2)
  readonly #clock: () => Moment
  /** Since then nobody is in charge any more; undefined: somebody is. */
  #untilMs: number | undefined
  #bytes = 0
  #rotatedBytes = 0
  /** Appending failed: nothing is appended until the file is written anew. */
  #broken = false

  constructor(
    readonly store: JournalStore,
    { bootId, zoneBytes, isCovered, clock }: Opening,
  ) {
    this.#zoneBytes = zoneBytes
    this.#clock = clock
    const { modifiedMs } = store
    const found = foundIn(store.load())
    const { trusted, why, base } = standingAtOpen(found, { bootId, zoneBytes })
    const now = clock()
    const gaps =
      trusted && !isCovered ? gapsAtOpen(found, modifiedMs, { ...now, bootId }) : carried(found)
    const { bootedMs } = now
    const standing = { base, trusted, why, gaps: trusted ? gaps : [] }
    this.#header = { format: 1, bootId, zoneBytes, ...standing, clean: false, bootedMs }
    this.#windows = trusted ? [...found.windows] : [{ number: 1, keys: new Keys() }]
    this.#pending.space(FRAME_HEAD_BYTES)
    // Before the first change: a file that says "clean" must not be found after a power cut.
    this.#guard(() => this.#begin())
  }

  get standing(): Standing {
    const { trusted, why, base } = this.#header
    return { trusted, why, base }
  }

  get gaps(): readonly Gap[] {
    return this.#header.gaps ?? []
  }

  takeCharge(): void {
    this.#untilMs = undefined
    if (this.gaps.length === 0) return
    this.#header = { ...this.#header, gaps: closedGaps(this.gaps, this.#clock().atMs) }
    this.#guard(() => this.#writeHeader())
  }

  endCharge(): void {
    this.#untilMs = this.#clock().atMs
  }

  isForeign(volume: number, path: BytePath, changed: Changed): boolean {
    if (this.#windows.some(({ keys }) => keys.hasNames(volume, path))) return true
    const isTold = (): boolean => this.#windows.some(({ keys }) => keys.tellsOf(volume, path))
    return isForeign(this.gaps, changed, isTold)
  }

  touchNames(volume: number, path: BytePath): void {
    const add = (keys: Keys): boolean => keys.addNames(volume, path)
    this.#touch(volume, path, add, () => putNames(this.#pending, volume, path))
  }

  touchAll(encoded: KeySet): void {
    const keys = new Keys()
    decodeInto(encoded, keys)
    keys.visit({
      entry: (volume, path) => this.touchEntry(volume, path),
      zones: (volume, path, zones) => {
        for (const zone of zones.list()) this.touchZone(volume, path, zone)
      },
      meta: (volume, path) => this.touchMeta(volume, path),
      names: (volume, path) => this.touchNames(volume, path),
    })
    this.flush()
  }

  touchEntry(volume: number, path: BytePath, bytes = 0): void {
    const bounded = within(path)
    if (this.#set?.addEntry(volume, bounded) === true) this.#setBytes += bytes
    if (!this.#open.keys.addEntry(volume, bounded)) return
    putEntry(this.#pending, volume, bounded)
    this.#bound()
  }

  touchZone(volume: number, path: BytePath, zone: number): void {
    const add = (keys: Keys): boolean => keys.addZone(volume, path, zone)
    this.#touch(volume, path, add, () => putZones(this.#pending, volume, path, zone, 1))
  }

  touchMeta(volume: number, path: BytePath): void {
    const add = (keys: Keys): boolean => keys.addMeta(volume, path)
    this.#touch(volume, path, add, () => putMeta(this.#pending, volume, path))
  }

  /** A path beyond the limit is covered by the entry of a directory above it. `add`: false when the key was there already. */
  #touch(volume: number, path: BytePath, add: (keys: Keys) => boolean, put: () => void): void {
    if (path.length > PATH_BYTES_MAX) {
      this.touchEntry(volume, path)
      return
    }
    if (this.#set !== undefined) add(this.#set)
    if (!add(this.#open.keys)) return
    put()
    this.#bound()
  }

  holds(volume: number, path: BytePath): boolean {
    return this.#windows.some(({ keys }) => keys.holds(volume, path) || keys.covers(volume, path))
  }

  flush(): void {
    if (this.#pending.length === FRAME_HEAD_BYTES) return
    const frame = this.#pending.view()
    sealFrame(frame)
    if (!this.#broken) this.#append(frame)
    this.#pending.clear()
    this.#pending.space(FRAME_HEAD_BYTES)
  }

  openWindow(): number {
    const number = this.#open.number + 1
    this.#windows.push({ number, keys: new Keys() })
    this.stamp += 1
    putWindow(this.#pending, number)
    this.flush()
    return number
  }

  dropBefore(window: number): void {
    dropWindows(this.#windows, window)
    putDrop(this.#pending, window)
    this.flush()
    const large = this.#bytes > ROTATE_BYTES_MIN && this.#bytes > 2 * this.#rotatedBytes
    // Without room the file stays as it is: too long, or broken, which it says already. The application goes on.
    if (large || this.#broken) this.#couldRotate()
  }

  snapshot(): KeySet {
    const [only, ...more] = this.#windows
    if (only !== undefined && more.length === 0) return encodeKeys(only.keys)
    const all = new Keys()
    for (const { keys } of this.#windows) all.addAll(keys)
    return encodeKeys(all)
  }

  beginSet(): void {
    // Zones of files that are new in the set are counted too: the size of the set decides when a copy is nearly done.
    this.#set = new Keys({ fold: false })
    this.#setBytes = 0
    this.stamp += 1
  }

  takeSet(): KeySet {
    const taken = this.#set ?? new Keys()
    this.beginSet()
    return encodeKeys(taken)
  }

  endSet(): void {
    this.#set = undefined
  }

  setSize(): { readonly keys: number; readonly bytes: number } {
    const set = this.#set
    if (set === undefined) return { keys: 0, bytes: 0 }
    return { keys: set.size, bytes: this.#setBytes + set.zoneCount * this.#zoneBytes }
  }

  distrust(why: string): void {
    // Everything is compared now: there is nothing to be found by its time.
    this.#header = { ...this.#header, trusted: false, why, gaps: [] }
    this.#guard(() => this.#writeHeader())
  }

  trust(base: string): void {
    this.flush()
    const { why } = this.#header
    this.#header = { ...this.#header, trusted: true, why: undefined, base, gaps: [] }
    if (this.#broken && this.#couldRotate()) return
    if (this.#broken) this.#header = { ...this.#header, trusted: false, why }
    this.#guard(() => this.#writeHeader())
  }

  closeClean(): void {
    this.flush()
    this.#guard(() => {
      this.store.sync()
      // A file that was not written to its end is distrusted already; clean or not makes no difference.
      const { atMs, bootedMs } = this.#clock()
      const untilMs = this.#untilMs ?? atMs
      const gaps = closedGaps(this.gaps, atMs)
      this.#header = { ...this.#header, clean: !this.#broken, gaps, untilMs, bootedMs }
      this.#writeHeader()
      this.store.close()
    })
  }

  get #open(): Window {
    const open = this.#windows.at(-1)
    if (open === undefined) throw new Error('there is always an open window')
    return open
  }

  #bound(): void {
    if (this.#pending.length > PENDING_BYTES_MAX) this.flush()
  }

  #append(frame: Buffer): void {
    try {
      this.store.append(frame)
      this.#bytes += frame.length
    } catch (thrown) {
      // A full disk must not stop the application, but these keys are lost with the process: the file must say so,
      // in its first sector, which takes no room.
      this.#broken = true
      this.distrust(`the journal could not be written: ${messageOf(thrown)}`)
    }
  }

  /** Writes the file of this process; without room for a new one, the old one is emptied and says so. */
  #begin(): void {
    try {
      this.#rotate()
    } catch (thrown) {
      if (!this.store.exists) throw thrown
      const why = `the journal could not be written: ${messageOf(thrown)}`
      this.#header = { ...this.#header, trusted: false, why }
      this.store.empty(encodeHeader(this.#header))
      this.#broken = true
    }
  }

  #writeHeader(): void {
    this.store.writeHeader(encodeHeader(this.#header))
  }

  /** Writes the file anew with what is held. */
  #rotate(): void {
    this.store.replace((put) => {
      put(encodeHeader(this.#header))
      this.#bytes = HEADER_BYTES + putWindows(put, this.#windows)
    })
    this.#rotatedBytes = this.#bytes
    this.#broken = false
  }

  /** False: there is no room for a new file, and the old one is as it was. */
  #couldRotate(): boolean {
    try {
      this.#guard(() => this.#rotate())
      return true
    } catch (thrown) {
      if (thrown instanceof HoldfastError && isFull(thrown.cause)) return false
      throw thrown
    }
  }

  /** A journal that can't even say that it is not to be trusted ends the process: serving on would be a lie. */
  #guard(write: () => void): void {
    try {
      write()
    } catch (thrown) {
      throw new HoldfastError(
        'E_RFS_JOURNAL',
        `the journal in ${this.store.place} can not be written: ${messageOf(thrown)}`,
        { hint: 'Make room on the file system of the state directory.', cause: thrown },
      )
    }
  }
}

function isFull(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !('code' in thrown)) return false
  return thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT'
}

function foundIn(bytes: Buffer | undefined): Found & { readonly windows: readonly Window[] } {
  return bytes === undefined
    ? { header: undefined, tail: 'whole', windows: [] }
    : decodeJournal(bytes)
}

/** What no copy has closed. */
function carried({ header }: Found): readonly Gap[] {
  return typeof header === 'object' ? (header.gaps ?? []) : []
}

/** A path beyond the limit is covered by a directory above it. */
function within(path: BytePath): BytePath {
  let bounded = path
  while (bounded.length > PATH_BYTES_MAX) bounded = parentOf(bounded)
  return bounded
}

/** Returns the bytes written. */
function putWindows(write: (bytes: Buffer) => void, windows: readonly Window[]): number {
  let bytes = 0
  const put = (body: Uint8Array): void => {
    const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + body.length)
    frame.set(body, FRAME_HEAD_BYTES)
    sealFrame(frame)
    write(frame)
    bytes += frame.length
  }
  for (const { number, keys } of windows) {
    const mark = new Writer(16)
    putWindow(mark, number)
    put(mark.view())
    encodePieces(keys, PIECE_BYTES, put)
  }
  return bytes
}
