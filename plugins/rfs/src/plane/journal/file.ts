/**
 * The journal on disk: an append-only file that is written (not synced) before the change that it announces, so that it survives
 * every death of the process; after a restart of the machine it counts only when it was closed cleanly.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import type { BytePath, Journal, KeySet, Standing } from '../resync-port.js'
import { Writer } from './bytes.js'
import { encodeKeys, encodePieces, putEntry, putMeta, putZones } from './codec.js'
import { standingAtOpen, type Found, type JournalHeader } from './decide.js'
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
import { Keys } from './keys.js'
import { PATH_BYTES_MAX, parentOf } from './path.js'

export interface JournalOptions {
  /** `<state>/journal` of the module; made when it is missing. */
  readonly directory: string
  readonly zoneBytes: number
  /** Of the running machine; default: what the kernel says. */
  readonly bootId?: string
}

const NAME = 'journal'
const PENDING_BYTES_MAX = 64 * 1024
const PIECE_BYTES = 64 * 1024
/** A file is written anew when it is larger than this and than twice what it held when it was new. */
const ROTATE_BYTES_MIN = 4 * 1024 * 1024
const MODE = 0o600

/** Opens the journal of a module and decides whether it can be trusted. Throws E_RFS_JOURNAL when it can't be written. */
export function openJournal(options: JournalOptions): Journal {
  const bootId = options.bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return new FileJournal(options.directory, { bootId, zoneBytes: options.zoneBytes })
}

class FileJournal implements Journal {
  stamp = 1
  readonly #directory: string
  #header: JournalHeader
  #windows: Window[]
  /** What is recorded for the next round of a copy. */
  #set: Keys | undefined
  readonly #zoneBytes: number
  readonly #pending = new Writer(PENDING_BYTES_MAX * 2)
  #fd = -1
  #bytes = 0
  #rotatedBytes = 0
  /** Appending failed: nothing is appended until the file is written anew. */
  #broken = false

  constructor(directory: string, now: { bootId: string; zoneBytes: number }) {
    this.#directory = directory
    this.#zoneBytes = now.zoneBytes
    const found = load(directory)
    const { trusted, why, base } = standingAtOpen(found, now)
    this.#header = { format: 1, ...now, base, trusted, why, clean: false }
    this.#windows = trusted ? [...found.windows] : [{ number: 1, keys: new Keys() }]
    this.#pending.space(FRAME_HEAD_BYTES)
    // Before the first change: a file that says "clean" must not be found after a power cut.
    this.#guard(() => this.#begin())
  }

  get standing(): Standing {
    const { trusted, why, base } = this.#header
    return { trusted, why, base }
  }

  touchEntry(volume: number, path: BytePath): void {
    const bounded = within(path)
    this.#set?.addEntry(volume, bounded)
    if (!this.#open.keys.addEntry(volume, bounded)) return
    putEntry(this.#pending, volume, bounded)
    this.#bound()
  }

  touchZone(volume: number, path: BytePath, zone: number): void {
    if (path.length > PATH_BYTES_MAX) {
      this.touchEntry(volume, path)
      return
    }
    this.#set?.addZone(volume, path, zone)
    if (!this.#open.keys.addZone(volume, path, zone)) return
    putZones(this.#pending, volume, path, zone, 1)
    this.#bound()
  }

  touchMeta(volume: number, path: BytePath): void {
    if (path.length > PATH_BYTES_MAX) {
      this.touchEntry(volume, path)
      return
    }
    this.#set?.addMeta(volume, path)
    if (!this.#open.keys.addMeta(volume, path)) return
    putMeta(this.#pending, volume, path)
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
    if (large || this.#broken) this.#guard(() => this.#rotate())
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
    return { keys: set?.size ?? 0, bytes: (set?.zoneCount ?? 0) * this.#zoneBytes }
  }

  distrust(why: string): void {
    this.#header = { ...this.#header, trusted: false, why }
    this.#guard(() => this.#writeHeader())
  }

  trust(base: string): void {
    this.flush()
    this.#header = { ...this.#header, trusted: true, why: undefined, base }
    this.#guard(() => (this.#broken ? this.#rotate() : this.#writeHeader()))
  }

  closeClean(): void {
    this.flush()
    this.#guard(() => {
      fsyncSync(this.#fd)
      // A file that was not written to its end is distrusted already; clean or not makes no difference.
      this.#header = { ...this.#header, clean: !this.#broken }
      this.#writeHeader()
      closeSync(this.#fd)
      this.#fd = -1
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
      writeAll(this.#fd, frame, undefined)
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
      const path = join(this.#directory, NAME)
      if (!existsSync(path)) throw thrown
      const why = `the journal could not be written: ${messageOf(thrown)}`
      this.#header = { ...this.#header, trusted: false, why }
      this.#fd = openSync(path, constants.O_RDWR)
      this.#writeHeader()
      ftruncateSync(this.#fd, HEADER_BYTES)
      this.#broken = true
    }
  }

  #writeHeader(): void {
    writeAll(this.#fd, encodeHeader(this.#header), 0)
    fsyncSync(this.#fd)
  }

  /** Writes the file anew with what is held, under another name until it is complete. */
  #rotate(): void {
    const path = join(this.#directory, NAME)
    const temporary = `${path}.new`
    const fd = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, MODE)
    try {
      writeAll(fd, encodeHeader(this.#header), undefined)
      this.#bytes = HEADER_BYTES + writeWindows(fd, this.#windows)
      fsyncSync(fd)
      renameSync(temporary, path)
    } catch (thrown) {
      closeSync(fd)
      unlinkSync(temporary)
      throw thrown
    }
    syncDirectory(this.#directory)
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = fd
    this.#rotatedBytes = this.#bytes
    this.#broken = false
  }

  /** A journal that can't even say that it is not to be trusted ends the process: serving on would be a lie. */
  #guard(write: () => void): void {
    try {
      write()
    } catch (thrown) {
      throw new HoldfastError(
        'E_RFS_JOURNAL',
        `the journal in ${this.#directory} can not be written: ${messageOf(thrown)}`,
        { hint: 'Make room on the file system of the state directory.', cause: thrown },
      )
    }
  }
}

function load(directory: string): Found & { readonly windows: readonly Window[] } {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, NAME)
  if (!existsSync(path)) return { header: undefined, tail: 'whole', windows: [] }
  return decodeJournal(readFileSync(path))
}

/** A path beyond the limit is covered by a directory above it. */
function within(path: BytePath): BytePath {
  let bounded = path
  while (bounded.length > PATH_BYTES_MAX) bounded = parentOf(bounded)
  return bounded
}

/** Returns the bytes written. */
function writeWindows(fd: number, windows: readonly Window[]): number {
  let bytes = 0
  const put = (body: Uint8Array): void => {
    const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + body.length)
    frame.set(body, FRAME_HEAD_BYTES)
    sealFrame(frame)
    writeAll(fd, frame, undefined)
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

function writeAll(fd: number, bytes: Buffer, position: number | undefined): void {
  let done = 0
  while (done < bytes.length) {
    const at = position === undefined ? null : position + done
    done += writeSync(fd, bytes, done, bytes.length - done, at)
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
