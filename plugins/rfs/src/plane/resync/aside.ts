/**
 * Keeps the files in which this node has what the other one never had, before a copy overwrites them: in `files/` as
 * they were, one line for each in `index.jsonl`. A file and its line are on the disk before the first byte of it is
 * changed; what can't be kept is not changed, and ends the copy.
 */
import fs from 'node:fs'
import { E, syncfs } from '../libc.js'
import { join, nameOf, parentOf, printable } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import {
  type AsideEnd,
  type AsideLine,
  type AsideReason,
  lineOf,
  pathOf,
} from '../../diverged/format.js'
import { extentsOf } from './content.js'
import { TreeError } from './tree.js'

const PIECE_BYTES = 1024 * 1024
/** Of the file system that keeps them, so that what is set aside never stops the machine that it is on. */
const FREE_SHARE_MIN = 0.1

export class AsideError extends TreeError {
  constructor(path: BytePath, why: string) {
    super('set aside', path, E.IO)
    this.message = `${printable(path)} has writes that only this node has, and can't be set aside: ${why}`
  }
}

export class Aside {
  readonly #root: BytePath
  readonly #rootFd: number
  readonly #index: number
  readonly #kept = new Set<string>()
  readonly #onStep: () => void
  readonly #piece = Buffer.alloc(PIECE_BYTES)
  #files = 0
  #bytes = 0

  /** Goes on with what an interrupted copy has kept. `directory` exists. */
  constructor(directory: string, onStep: () => void) {
    this.#onStep = onStep
    this.#root = Buffer.from(directory).toString('latin1')
    const index = `${directory}/index.jsonl`
    const before = fs.existsSync(index) ? fs.readFileSync(index, 'utf8') : ''
    for (const line of before.split('\n')) this.#remember(line)
    this.#rootFd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    this.#index = fs.openSync(index, 'a', 0o600)
    // The line that a power cut tore is ended: what follows is read, what it meant is kept again.
    if (before !== '' && !before.endsWith('\n')) fs.writeSync(this.#index, '\n')
  }

  close(): void {
    fs.closeSync(this.#index)
    fs.closeSync(this.#rootFd)
  }

  /** Before a name of an open directory goes away. */
  keepName(volume: number, directory: number, path: BytePath): void {
    this.#keeping(volume, path, (to) => {
      const from = Buffer.from(`/proc/self/fd/${directory}/${nameOf(path)}`, 'latin1')
      const found = fs.lstatSync(from)
      if (found.isFile()) {
        const fd = fs.openSync(from, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
        try {
          return this.#copy(fd, found, to, path)
        } finally {
          fs.closeSync(fd)
        }
      }
      // A device, a pipe, a socket: there is nothing in it that could be lost.
      if (!found.isSymbolicLink()) return { type: 'other', found }
      fs.rmSync(to, { force: true })
      fs.symlinkSync(fs.readlinkSync(from, { encoding: 'buffer' }), to)
      return { type: 'link', found }
    })
  }

  /** Before the content of an open file is changed. */
  keepContent(volume: number, fd: number, path: BytePath): void {
    this.#keeping(volume, path, (to) => this.#copy(fd, fs.fstatSync(fd), to, path), 'changed')
  }

  /** Everything was looked at. Returns what this and earlier copies kept. */
  finish(): { readonly files: number; readonly bytes: number } {
    const end: AsideEnd = { complete: true, files: this.#files, bytes: this.#bytes }
    this.#append(end)
    return end
  }

  #keeping(
    volume: number,
    path: BytePath,
    keep: (to: Buffer) => { readonly type: AsideLine['type']; readonly found: fs.Stats },
    why: AsideReason = 'removed',
  ): void {
    if (this.#kept.has(`${volume}/${path}`)) return
    try {
      const to = `${this.#root}/files/${join(String(volume), path)}`
      fs.mkdirSync(bytesOf(parentOf(to)), { recursive: true, mode: 0o700 })
      const { type, found } = keep(bytesOf(to))
      const { size, mtimeMs } = found
      this.#append({ volume, ...named(path), type, size, mtimeMs, why })
      this.#count(volume, path, size)
    } catch (thrown) {
      // Whatever the system refuses here: the file must not be overwritten.
      if (thrown instanceof TreeError || !isSystemError(thrown)) throw thrown
      throw new AsideError(path, thrown.code)
    }
  }

  #copy(
    from: number,
    found: fs.Stats,
    to: Buffer,
    path: BytePath,
  ): { readonly type: 'file'; readonly found: fs.Stats } {
    this.#mustFit(found.blocks * 512, path)
    const out = fs.openSync(to, 'w', 0o600)
    try {
      for (const { hole, offset, length } of extentsOf(from, 0, found.size, PIECE_BYTES)) {
        this.#onStep()
        if (hole) continue
        const size = fs.readSync(from, this.#piece, 0, length, offset)
        fs.writeSync(out, this.#piece, 0, size, offset)
      }
      fs.ftruncateSync(out, found.size)
      fs.fchownSync(out, found.uid, found.gid)
      fs.fchmodSync(out, found.mode & 0o7777)
      fs.futimesSync(out, found.atime, found.mtime)
    } finally {
      fs.closeSync(out)
    }
    return { type: 'file', found }
  }

  #mustFit(bytes: number, path: BytePath): void {
    const { bsize, blocks, bavail } = fs.statfsSync(bytesOf(this.#root))
    const left = bavail * bsize - bytes
    if (left >= blocks * bsize * FREE_SHARE_MIN) return
    const needed = Math.ceil(bytes / 1024 ** 2)
    const share = `${FREE_SHARE_MIN * 100} %`
    throw new AsideError(
      path,
      `it needs ${needed} MiB in ${printable(this.#root)}, of whose file system ${share} stay free; make room, ` +
        'or give up what only this node has with "holdfast rfs diverged discard"',
    )
  }

  /** One call for all of it: the copy, the directories that are new, the line. */
  #append(line: AsideLine | AsideEnd): void {
    fs.writeSync(this.#index, `${JSON.stringify(line)}\n`)
    const synced = syncfs(this.#rootFd)
    if (synced < 0) throw new TreeError('sync what was set aside of', '', -synced)
  }

  #remember(line: string): void {
    const known = lineOf(line)
    if (known === undefined) return
    this.#count(known.volume, pathOf(known).toString('latin1'), known.size)
  }

  #count(volume: number, path: BytePath, size: number): void {
    this.#kept.add(`${volume}/${path}`)
    this.#files += 1
    this.#bytes += size
  }
}

function named(path: BytePath): { path: string; bytes?: string } {
  const bytes = bytesOf(path)
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes)
    ? { path: text }
    : { path: text, bytes: bytes.toString('hex') }
}

function bytesOf(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1')
}

function isSystemError(thrown: unknown): thrown is Error & { readonly code: string } {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
}
