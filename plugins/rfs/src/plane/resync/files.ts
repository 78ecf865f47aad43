/** The source's side of regular files: which zones the target must get, and sending them, many files at a time. */
import { E, MODE, O, addressOf, close, cstring, openat, pread } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { MalformedError } from '../journal/bytes.js'
import type { ZoneSet } from '../journal/zones.js'
import type { BytePath } from '../resync-port.js'
import type { Channel } from './channel.js'
import { extentsOf, isSame, spansOf, type Extent } from './content.js'
import type { Print, Printer, Span } from './content.js'
import { MESSAGE } from './messages.js'
import { isAbsent, must, nextData } from './tree.js'

/** A directory of the source that stays open while one of its files is being copied. */
export class SharedDirectory {
  #users = 1

  constructor(readonly fd: number) {}

  use(): this {
    this.#users += 1
    return this
  }

  release(): void {
    this.#users -= 1
    if (this.#users === 0) close(this.fd)
  }
}

/** A file about which the target was asked. */
export interface PendingFile {
  readonly id: number
  readonly directory: SharedDirectory
  readonly name: BytePath
  readonly path: BytePath
  readonly size: number
  readonly content: 'none' | 'all' | ZoneSet
}

interface ActiveFile {
  readonly pending: PendingFile
  readonly fd: number
  readonly spans: Iterator<Span>
  /** Requests for hashes that are not answered. */
  awaited: number
  exhausted: boolean
}

/** Zones in one request for hashes, and requests of one file under way: the target hashes while this side compares. */
const WINDOW_ZONES = 64
const WINDOWS = 2
const PIECE_BYTES = 256 * 1024
export const FILE_FLAGS = O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.NOATIME | O.CLOEXEC

export interface FilesOptions {
  readonly channel: Channel
  readonly printer: Printer
  /** A zone was compared. */
  readonly compared: (same: boolean) => void
  /** A file needs nothing more. */
  readonly finished: (file: PendingFile) => void
}

/** A piece of work: each step queues a bounded number of bytes. */
export type Task = Generator<void>

export class Files {
  /** Bytes of content sent, over all rounds. */
  contentBytes = 0
  /** Compare zones that a key names; else they are sent as they are, which is quicker when they surely changed. */
  comparesKeys = true
  readonly #options: FilesOptions
  readonly #channel: Channel
  readonly #active = new Map<number, ActiveFile>()
  /** Files that are not finished; each keeps its directory open. */
  readonly #pending = new Set<PendingFile>()
  readonly #piece = Buffer.alloc(PIECE_BYTES)
  readonly #pieceAddress = addressOf(this.#piece)

  constructor(options: FilesOptions) {
    this.#options = options
    this.#channel = options.channel
  }

  /** Files whose content is under way. */
  get count(): number {
    return this.#pending.size
  }

  close(): void {
    for (const file of this.#active.values()) {
      close(file.fd)
    }
    for (const { directory } of this.#pending) directory.release()
    this.#active.clear()
    this.#pending.clear()
  }

  /** The target has an empty file: everything is sent. */
  sendAll(pending: PendingFile): Task {
    this.#pending.add(pending)
    return this.#sendAll(pending)
  }

  /** The target has a file of some size, and told what its first zone holds (if all is to be compared). */
  compare(pending: PendingFile, sizeThere: number, first: Print | undefined): Task {
    this.#pending.add(pending)
    return this.#compare(pending, sizeThere, first)
  }

  *#sendAll(pending: PendingFile): Task {
    const fd = this.#open(pending)
    try {
      if (fd !== undefined) yield* this.#sendRange(pending, fd, 0, pending.size)
    } finally {
      if (fd !== undefined) close(fd)
    }
    this.#finish(pending)
  }

  *#compare(pending: PendingFile, sizeThere: number, first: Print | undefined): Task {
    const all = pending.content === 'all' || sizeThere !== pending.size
    const fd = pending.content === 'none' && !all ? undefined : this.#open(pending)
    if (fd === undefined) {
      this.#finish(pending)
      return
    }
    const byKeys = typeof pending.content === 'string' || all ? undefined : pending.content
    const { zoneBytes } = this.#options.printer
    const spans =
      byKeys === undefined
        ? spansOf(fd, pending.size, zoneBytes)
        : spansOfZones(fd, byKeys.list(), pending.size, zoneBytes)
    const file = { pending, fd, spans, awaited: 0, exhausted: false }
    this.#active.set(pending.id, file)
    const direct = byKeys !== undefined && !this.comparesKeys
    yield* direct ? this.#sendSpans(file) : this.#advance(file, first)
  }

  /** Prints of a run of zones, as the target has them. */
  *onHashes(id: number, first: number, prints: readonly Print[]): Task {
    const file = this.#active.get(id)
    if (file === undefined || file.awaited === 0) throw new MalformedError(`hashes of file ${id}`)
    for (const [at, print] of prints.entries()) yield* this.#compareZone(file, first + at, print)
    file.awaited -= 1
    yield* this.#advance(file, undefined)
  }

  /** Asks for as many hashes as may be under way; ends the file when there is nothing more to ask or to hear. */
  *#advance(file: ActiveFile, firstPrint: Print | undefined): Task {
    let run = { first: 0, count: 0 }
    const ask = (): void => {
      if (run.count === 0) return
      const to = this.#channel.begin(MESSAGE.hash)
      to.uint(file.pending.id).uint(run.first).uint(run.count)
      file.awaited += 1
      run = { first: 0, count: 0 }
    }
    while (!file.exhausted && file.awaited < WINDOWS) {
      const next = file.spans.next()
      if (next.done === true) file.exhausted = true
      else if ('hole' in next.value) this.#putHole(file.pending, next.value)
      else if (next.value.zone === 0 && firstPrint !== undefined) {
        yield* this.#compareZone(file, 0, firstPrint)
      } else {
        const { zone } = next.value
        if (zone !== run.first + run.count || run.count === WINDOW_ZONES) ask()
        run = { first: run.count === 0 ? zone : run.first, count: run.count + 1 }
      }
    }
    ask()
    if (file.exhausted && file.awaited === 0) this.#closeFile(file)
  }

  *#sendSpans(file: ActiveFile): Task {
    const { pending, fd, spans } = file
    const { zoneBytes } = this.#options.printer
    for (let next = spans.next(); next.done !== true; next = spans.next()) {
      if ('hole' in next.value) this.#putHole(pending, next.value)
      else {
        const from = next.value.zone * zoneBytes
        yield* this.#sendRange(pending, fd, from, Math.min(from + zoneBytes, pending.size))
      }
    }
    this.#closeFile(file)
  }

  *#compareZone({ pending, fd }: ActiveFile, zone: number, there: Print): Task {
    const { zoneBytes } = this.#options.printer
    const here = this.#options.printer.print(fd, zone, pending.size, pending.path)
    const from = zone * zoneBytes
    const to = Math.min(from + zoneBytes, pending.size)
    this.#options.compared(isSame(here, there))
    if (here.dataBytes > 0 && (there.dataBytes === 0 || !here.hash.equals(there.hash))) {
      yield* this.#sendRange(pending, fd, from, to)
    } else if (there.dataBytes > here.dataBytes) {
      // The same bytes, but zeros that take room there and none here.
      for (const extent of extentsOf(fd, from, to, zoneBytes)) {
        if (extent.hole) this.#putHole(pending, extent)
      }
    }
    yield
  }

  *#sendRange(pending: PendingFile, fd: number, from: number, to: number): Task {
    for (const extent of extentsOf(fd, from, to, PIECE_BYTES)) {
      if (extent.hole) this.#putHole(pending, extent)
      else this.#putData(pending, fd, extent)
      yield
    }
  }

  #putHole({ id }: PendingFile, { offset, length }: Extent): void {
    this.#channel.begin(MESSAGE.hole).uint(id).uint(offset).uint(length)
  }

  #putData({ id, path }: PendingFile, fd: number, { offset, length }: Extent): void {
    const size = must(pread(fd, this.#pieceAddress, length, offset), 'read', path)
    // The file was truncated meanwhile: a key of its own says so.
    if (size === 0) return
    const to = this.#channel.begin(MESSAGE.data).uint(id).uint(offset).uint(size)
    to.raw(this.#piece.subarray(0, size))
    this.contentBytes += size
  }

  /** Undefined when the file is gone, or something else has its name: a key of its own says so. */
  #open({ directory, name, path }: PendingFile): number | undefined {
    const fd = openat(directory.fd, cstring(name), FILE_FLAGS, 0)
    if (isAbsent(fd) || fd === -E.NXIO) return undefined
    must(fd, 'open', path)
    must(stat.ofDescriptor(fd), 'stat', path)
    if ((stat.mode & MODE.TYPE) === MODE.FILE) return fd
    close(fd)
    return undefined
  }

  #closeFile(file: ActiveFile): void {
    this.#active.delete(file.pending.id)
    close(file.fd)
    this.#finish(file.pending)
  }

  #finish(pending: PendingFile): void {
    this.#channel.begin(MESSAGE.done).uint(pending.id)
    this.#pending.delete(pending)
    pending.directory.release()
    this.#options.finished(pending)
  }
}

const stat = new StatBuffer()

function* spansOfZones(
  fd: number,
  zones: readonly number[],
  size: number,
  zoneBytes: number,
): Generator<Span> {
  for (const zone of zones) {
    const from = zone * zoneBytes
    const to = Math.min(from + zoneBytes, size)
    if (from >= size) return
    if (nextData(fd, from, to) < to) yield { zone }
    else yield { hole: true, offset: from, length: to - from }
  }
}
