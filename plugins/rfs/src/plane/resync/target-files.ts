/**
 * The target's side of regular files: those that were placed and must be looked at, and those that are open until all of
 * their content came. Placed ones are looked at many at a time, so that the disk reads the next ones meanwhile.
 */
import { MalformedError, type Reader } from '../journal/bytes.js'
import { close, ftruncate, readahead } from '../libc.js'
import type { BytePath } from '../resync-port.js'
import { applyAttributes } from './attributes.js'
import type { Channel } from './channel.js'
import { Printer, isSame, punch, writeFully } from './content.js'
import { MESSAGE, STATE, putPrint, type Entry } from './messages.js'
import { must, nextData } from './tree.js'

/** A file that is open for writing. */
export interface OpenFile {
  readonly fd: number
  readonly volume: number
  readonly path: BytePath
  readonly entry: Entry
  /** Which it had when it was opened. */
  readonly size: number
  /** It was here before this copy. */
  readonly kept: boolean
}

export interface TargetFilesOptions {
  readonly channel: Channel
  readonly zoneBytes: number
  /** Is a file that was here emptied, and sent as a whole? */
  readonly empties: () => boolean
  /** Called before the content of a file that was here is changed. */
  readonly changes: (file: OpenFile) => void
}

/** More files at once than a source of ours ever asks about. */
const OPEN_FILES_MAX = 4096
const PLACED_MAX = 64
const HASHES_MAX = 256

export class TargetFiles {
  readonly #channel: Channel
  readonly #options: TargetFilesOptions
  readonly #printer: Printer
  readonly #open = new Map<number, OpenFile>()
  /** Not looked at yet, in the order of their entries. */
  #placed: OpenFile[] = []
  #lastId = 0
  /** The last one that had the same content, when that was not told yet. */
  #same: number | undefined

  constructor(options: TargetFilesOptions) {
    this.#options = options
    this.#channel = options.channel
    this.#printer = new Printer(options.zoneBytes)
  }

  get count(): number {
    return this.#open.size + this.#placed.length
  }

  /** Takes a file that was placed; the descriptor is closed here from now on. */
  add(file: OpenFile): void {
    const { entry, fd } = file
    if (this.count >= OPEN_FILES_MAX || entry.id <= this.#lastId) {
      close(fd)
      throw new MalformedError('too many files at once')
    }
    this.#lastId = entry.id
    this.#placed.push(file)
    // No error counts here: reading itself will tell.
    if (wantsPrint(file)) readahead(fd, 0, this.#printer.zoneBytes)
    if (this.#placed.length >= PLACED_MAX) this.look()
  }

  /** Compares what was placed and answers, except for what is the same. */
  look(): void {
    const placed = this.#placed
    if (placed.length === 0) return
    this.#placed = []
    // Open from here on, so that they are closed whatever happens.
    for (const file of placed) this.#open.set(file.entry.id, file)
    for (const file of placed) {
      this.#channel.keepAlive()
      if (this.#isSame(file)) {
        this.#same = file.entry.id
        this.#end(file)
      } else this.#answer(file)
    }
  }

  /** Tells which files were the same: all up to one, except for those that were answered. */
  settle(): void {
    this.look()
    if (this.#same === undefined) return
    this.#channel.begin(MESSAGE.settled).uint(this.#same)
    this.#same = undefined
  }

  onHash(from: Reader): void {
    const file = this.#file(from)
    const first = from.uint()
    const count = from.uint()
    if (count < 1 || count > HASHES_MAX) throw new MalformedError(`${count} hashes wanted`)
    const to = this.#channel.begin(MESSAGE.hashes).uint(file.entry.id).uint(first).uint(count)
    for (let zone = first; zone < first + count; zone += 1) putPrint(to, this.#print(file, zone))
  }

  onData(from: Reader): void {
    const file = this.#file(from)
    const offset = from.uint()
    this.#change(file)
    writeFully(file.fd, from.raw(from.uint()), offset, file.path)
  }

  onHole(from: Reader): void {
    const file = this.#file(from)
    const offset = from.uint()
    const length = from.uint()
    if (nextData(file.fd, offset, offset + length) < offset + length) this.#change(file)
    punch(file.fd, offset, length, file.path)
  }

  onDone(from: Reader): void {
    this.#end(this.#file(from))
  }

  close(): void {
    for (const { fd } of [...this.#open.values(), ...this.#placed]) close(fd)
    this.#open.clear()
    this.#placed = []
  }

  #file(from: Reader): OpenFile {
    const id = from.uint()
    const file = this.#open.get(id)
    if (file === undefined) throw new MalformedError(`file ${id} is not open`)
    return file
  }

  #isSame(file: OpenFile): boolean {
    const { entry, size, kept } = file
    if (entry.print === undefined || !kept || size !== entry.size) return false
    return isSame(entry.print, this.#print(file, 0))
  }

  #answer(file: OpenFile): void {
    const { entry, fd, path, size, kept } = file
    // What differs is found by comparing: a file that is emptied first would differ in any case.
    const emptied = kept && this.#options.empties()
    if (size !== entry.size) this.#change(file)
    if (emptied) must(ftruncate(fd, 0), 'truncate', path)
    if (emptied || size !== entry.size) must(ftruncate(fd, entry.size), 'set the size of', path)
    const to = this.#channel.begin(MESSAGE.state).uint(entry.id)
    if (!kept || emptied) {
      to.u8(STATE.made)
      return
    }
    const first = wantsPrint(file)
    to.u8(STATE.kept)
      .uint(size)
      .u8(first ? 1 : 0)
    if (first) putPrint(to, this.#print(file, 0))
  }

  /** Before the first change of the content. */
  #change(file: OpenFile): void {
    if (file.kept) this.#options.changes(file)
  }

  #print({ fd, entry, path }: OpenFile, zone: number) {
    return this.#printer.print(fd, zone, entry.size, path)
  }

  #end({ fd, path, entry }: OpenFile): void {
    this.#open.delete(entry.id)
    try {
      applyAttributes(fd, entry, path)
    } finally {
      close(fd)
    }
  }
}

/** Must its first zone be known to compare it? */
function wantsPrint({ entry, size, kept }: OpenFile): boolean {
  return kept && entry.size > 0 && (entry.content === 'all' || size !== entry.size)
}
