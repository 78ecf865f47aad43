/** The journal's file in the state directory of a module. */
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
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { uptime } from 'node:os'
import { join } from 'node:path'
import type { Journal } from '../resync-port.js'
import type { Moment } from './gaps.js'
import { StoredJournal, type JournalStore } from './journal.js'

export interface JournalOptions {
  /** `<state>/journal` of the module; made when it is missing. */
  readonly directory: string
  readonly zoneBytes: number
  /** Of the running machine; default: what the kernel says. */
  readonly bootId?: string
  /** Mounts of a data plane that died have covered the directories until now. */
  readonly isCovered?: boolean
}

const NAME = 'journal'
const MODE = 0o600

/** Opens the journal of a module and decides whether it can be trusted. Throws E_RFS_JOURNAL when it can't be written. */
export function openJournal(options: JournalOptions): Journal {
  const { directory, zoneBytes, isCovered = false } = options
  const bootId = options.bootId ?? bootIdOfMachine()
  const opening = { bootId, zoneBytes, isCovered, clock: momentOfMachine }
  return new StoredJournal(new FileStore(directory), opening)
}

/** Steps of the clock move both numbers; that it runs a little faster or slower moves neither. */
export function momentOfMachine(): Moment {
  const atMs = Date.now()
  return { atMs, bootedMs: Math.round(atMs - uptime() * 1_000) }
}

/** Another one after each start of the kernel. */
export function bootIdOfMachine(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

class FileStore implements JournalStore {
  readonly #path: string
  #fd = -1

  constructor(readonly place: string) {
    this.#path = join(place, NAME)
  }

  get exists(): boolean {
    return existsSync(this.#path)
  }

  get modifiedMs(): number | undefined {
    return this.exists ? Math.floor(statSync(this.#path).mtimeMs) : undefined
  }

  load(): Buffer | undefined {
    mkdirSync(this.place, { recursive: true, mode: 0o700 })
    return this.exists ? readFileSync(this.#path) : undefined
  }

  replace(write: (put: (bytes: Buffer) => void) => void): void {
    const temporary = `${this.#path}.new`
    const fd = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, MODE)
    try {
      write((bytes) => writeAll(fd, bytes, undefined))
      fsyncSync(fd)
      renameSync(temporary, this.#path)
    } catch (thrown) {
      closeSync(fd)
      unlinkSync(temporary)
      throw thrown
    }
    syncDirectory(this.place)
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = fd
  }

  empty(header: Buffer): void {
    this.#fd = openSync(this.#path, constants.O_RDWR)
    this.writeHeader(header)
    ftruncateSync(this.#fd, header.length)
  }

  append(bytes: Buffer): void {
    writeAll(this.#fd, bytes, undefined)
  }

  writeHeader(header: Buffer): void {
    writeAll(this.#fd, header, 0)
    fsyncSync(this.#fd)
  }

  sync(): void {
    fsyncSync(this.#fd)
  }

  close(): void {
    closeSync(this.#fd)
    this.#fd = -1
  }
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
