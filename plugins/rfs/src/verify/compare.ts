/**
 * Are two trees the same, byte by byte? Types, content, holes, modes, owners, modification times to the nanosecond,
 * extended attributes (with ACLs), devices, targets of symbolic links, and which names are links of one file.
 * Independent of the replication: it shares only the reading of directories with it.
 */
import { lstatSync } from 'node:fs'
import { MODE, O, close, cstring, openat, pread, readlinkat, AT } from '../plane/libc.js'
import { StatBuffer } from '../plane/stat.js'
import { join, printable } from '../plane/journal/path.js'
import {
  dataBytesIn,
  must,
  namesOf,
  nextData,
  openDirectory,
  xattrsOf,
} from '../plane/resync/tree.js'

export interface Difference {
  /** Relative to the two roots; `.` is the root itself. */
  readonly path: string
  readonly what:
    | 'missing'
    | 'type'
    | 'mode'
    | 'owner'
    | 'mtime'
    | 'size'
    | 'content'
    | 'holes'
    | 'xattrs'
    | 'device'
    | 'target'
    | 'links'
  readonly left: string
  readonly right: string
}

export interface CompareOptions {
  /** Bytes of data (not holes) by which one file may differ; default 64 KiB and 1/16 of the larger one. */
  readonly holeToleranceBytes?: number
  /** Stop after so many differences; default 1,000. */
  readonly differencesMax?: number
  /** Compare modification times; default true. */
  readonly mtimes?: boolean
}

/** What one side has under a name. */
interface Seen {
  readonly fd: number
  readonly type: number
  readonly mode: number
  readonly owner: string
  readonly mtime: string
  readonly size: number
  readonly device: string
  readonly inode: number
  readonly links: number
}

const CHUNK = 1024 * 1024
const stat = new StatBuffer()
const chunkLeft = Buffer.alloc(CHUNK)
const chunkRight = Buffer.alloc(CHUNK)
const TYPES: Readonly<Record<number, string>> = {
  [MODE.SOCKET]: 'socket',
  [MODE.LINK]: 'symbolic link',
  [MODE.FILE]: 'file',
  [MODE.BLOCK]: 'block device',
  [MODE.DIRECTORY]: 'directory',
  [MODE.CHARACTER]: 'character device',
  [MODE.FIFO]: 'fifo',
}

/** Compares two directories (paths of this machine). Returns what differs, at most `differencesMax`, in order of the walk. */
export function compareTrees(
  left: string,
  right: string,
  options: CompareOptions = {},
): Difference[] {
  const comparison = new Comparison(options)
  const roots: [number, number] = [openRoot(left), openRoot(right)]
  try {
    comparison.run(roots)
  } finally {
    for (const root of roots) close(root)
  }
  return comparison.differences
}

function openRoot(path: string): number {
  if (!lstatSync(path).isDirectory()) throw new Error(`${path} is not a directory`)
  const flags = O.RDONLY | O.DIRECTORY | O.CLOEXEC
  return must(openat(AT.FDCWD, cstring(Buffer.from(path)), flags, 0), 'open', path)
}

class Comparison {
  readonly differences: Difference[] = []
  readonly #max: number
  /** For a file with several links: the first name under which each side's inode was met. */
  readonly #firstLeft = new Map<number, string>()
  readonly #firstRight = new Map<number, string>()

  constructor(readonly options: CompareOptions) {
    this.#max = options.differencesMax ?? 1_000
  }

  run(roots: readonly [number, number]): void {
    const pending: string[] = ['']
    const [left, right] = roots.map((root) => see(root, '.', ''))
    if (left === undefined || right === undefined) throw new Error('a root vanished')
    this.#compareBoth('', left, right)
    closeBoth(left, right)
    for (let path = pending.pop(); path !== undefined && !this.#full; path = pending.pop()) {
      const directories = roots.map((root) => must(openDirectory(root, path), 'open', path))
      const [a, b] = directories
      if (a !== undefined && b !== undefined) pending.push(...this.#compareDirectory(path, a, b))
      for (const directory of directories) close(directory)
    }
  }

  get #full(): boolean {
    return this.differences.length >= this.#max
  }

  /** Compares what two directories contain; returns the subdirectories that both have. */
  #compareDirectory(path: string, left: number, right: number): string[] {
    const names = [...namesOf(left, path)].map((entry) => entry.name).sort()
    const extra = new Set([...namesOf(right, path)].map((entry) => entry.name))
    const both: string[] = []
    for (const name of names) {
      if (this.#full) return []
      extra.delete(name)
      if (this.#compareName(join(path, name), name, left, right)) both.push(join(path, name))
    }
    for (const name of [...extra].sort()) this.#differ(join(path, name), 'missing', 'no', 'yes')
    return both.reverse()
  }

  /** Returns true when both are directories. */
  #compareName(path: string, name: string, left: number, right: number): boolean {
    const a = see(left, name, path)
    const b = see(right, name, path)
    if (a !== undefined && b !== undefined) {
      this.#compareBoth(path, a, b)
      if (a.type === MODE.FILE && b.type === MODE.FILE)
        this.#compareContent(path, name, left, right)
      if (a.type === MODE.LINK && b.type === MODE.LINK) {
        this.#check(path, 'target', target(left, name, path), target(right, name, path))
      }
    } else {
      this.#check(path, 'missing', a === undefined ? 'no' : 'yes', b === undefined ? 'no' : 'yes')
    }
    closeBoth(a, b)
    return a?.type === MODE.DIRECTORY && b?.type === MODE.DIRECTORY
  }

  #compareBoth(path: string, a: Seen, b: Seen): void {
    if (a.type !== b.type) {
      this.#differ(path, 'type', TYPES[a.type] ?? '?', TYPES[b.type] ?? '?')
      return
    }
    this.#check(path, 'mode', (a.mode & 0o7777).toString(8), (b.mode & 0o7777).toString(8))
    this.#check(path, 'owner', a.owner, b.owner)
    if (this.options.mtimes !== false) this.#check(path, 'mtime', a.mtime, b.mtime)
    this.#check(path, 'xattrs', attributes(a.fd, path), attributes(b.fd, path))
    this.#check(path, 'device', a.device, b.device)
    if (a.type !== MODE.DIRECTORY) this.#compareLinks(path, a, b)
  }

  #compareLinks(path: string, a: Seen, b: Seen): void {
    this.#check(path, 'links', `${a.links}`, `${b.links}`)
    if (a.links === 1 && b.links === 1) return
    const left = firstName(this.#firstLeft, a.inode, path)
    const right = firstName(this.#firstRight, b.inode, path)
    this.#check(path, 'links', printable(left), printable(right))
  }

  #compareContent(path: string, name: string, left: number, right: number): void {
    const flags = O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC
    const a = must(openat(left, cstring(name), flags, 0), 'open', path)
    const b = must(openat(right, cstring(name), flags, 0), 'open', path)
    const sizes = [a, b].map((fd) => (must(stat.ofDescriptor(fd), 'stat', path), stat.size))
    const [sizeLeft = 0, sizeRight = 0] = sizes
    this.#check(path, 'size', `${sizeLeft}`, `${sizeRight}`)
    const at = firstDifference(a, b, Math.min(sizeLeft, sizeRight), path)
    if (at !== undefined) this.#differ(path, 'content', `differs at byte ${at}`, '')
    this.#compareHoles(path, a, b, sizeLeft, sizeRight)
    close(a)
    close(b)
  }

  #compareHoles(path: string, a: number, b: number, sizeLeft: number, sizeRight: number): void {
    if (sizeLeft !== sizeRight) return
    const left = dataBytesIn(a, 0, sizeLeft)
    const right = dataBytesIn(b, 0, sizeRight)
    const allowed =
      this.options.holeToleranceBytes ?? 64 * 1024 + Math.floor(Math.max(left, right) / 16)
    if (Math.abs(left - right) > allowed) {
      this.#differ(path, 'holes', `${left} bytes of data`, `${right} bytes of data`)
    }
  }

  #check(path: string, what: Difference['what'], left: string, right: string): void {
    if (left !== right) this.#differ(path, what, left, right)
  }

  #differ(path: string, what: Difference['what'], left: string, right: string): void {
    if (!this.#full) this.differences.push({ path: printable(path), what, left, right })
  }
}

function see(directory: number, name: string, path: string): Seen | undefined {
  const fd = openat(directory, cstring(name), O.PATH | O.NOFOLLOW | O.CLOEXEC, 0)
  if (fd < 0) return undefined
  must(stat.ofDescriptor(fd), 'stat', path)
  const type = stat.mode & MODE.TYPE
  const special = type === MODE.BLOCK || type === MODE.CHARACTER
  return {
    fd,
    type,
    mode: stat.mode,
    owner: `${stat.uid}:${stat.gid}`,
    mtime: `${stat.mtimeSeconds}.${String(stat.mtimeNanos).padStart(9, '0')}`,
    size: stat.size,
    device: special ? `${stat.rdevMajor}:${stat.rdevMinor}` : '',
    inode: stat.inode,
    links: stat.links,
  }
}

function closeBoth(...seen: (Seen | undefined)[]): void {
  for (const each of seen) if (each !== undefined) close(each.fd)
}

function target(directory: number, name: string, path: string): string {
  const size = readlinkat(directory, cstring(name), chunkLeft, CHUNK)
  return printable(chunkLeft.toString('latin1', 0, must(size, 'read the link', path)))
}

function attributes(fd: number, path: string): string {
  return JSON.stringify(xattrsOf(fd, path))
}

function firstName(known: Map<number, string>, inode: number, path: string): string {
  const first = known.get(inode) ?? path
  known.set(inode, first)
  return first
}

/** The offset of the first byte that differs below `end`; holes of both sides are skipped. */
function firstDifference(a: number, b: number, end: number, path: string): number | undefined {
  let at = 0
  for (;;) {
    at = Math.min(nextData(a, at, end), nextData(b, at, end))
    if (at >= end) return undefined
    const size = Math.min(CHUNK, end - at)
    const got = must(pread(a, chunkLeft, size, at), 'read', path)
    const other = must(pread(b, chunkRight, size, at), 'read', path)
    const common = Math.min(got, other)
    if (chunkLeft.compare(chunkRight, 0, common, 0, common) !== 0) {
      return at + chunkLeft.subarray(0, common).findIndex((byte, i) => byte !== chunkRight[i])
    }
    if (got !== other || got === 0) return at + common
    at += got
  }
}
