/** The source's walk: tells the target directory by directory what there is. Never waits; yields between small steps. */
import { E, MODE, O, cstring, openat, close, readlinkat } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { PATH_BYTES_MAX, join, nameOf } from '../journal/path.js'
import type { Exclusions } from '../exclusions.js'
import type { BytePath, ResyncVolume } from '../resync-port.js'
import { attributesOf } from './attributes.js'
import type { Channel } from './channel.js'
import { SharedDirectory, type PendingFile, type Task } from './files.js'
import { isFileLeftOut } from './left-out.js'
import { MESSAGE, putAttributes, putEntry, type Entry } from './messages.js'
import { addWant, type Plan, type Want } from './plan.js'
import { TreeError, isAbsent, must, namesOf, openDirectory } from './tree.js'

export interface WalkOptions {
  readonly channel: Channel
  /** By volume: what is not told about. */
  readonly exclusions: ReadonlyMap<number, Exclusions>
  /** The target will tell the state of this name. */
  readonly asked: (question: Question) => void
  /** A file with several names was told about. */
  readonly linked: (volume: number, inode: number, path: BytePath) => void
}

/** What the source does with the answer to an entry. */
export type Question =
  | ({ readonly kind: 'file'; readonly volume: number } & PendingFile)
  | {
      readonly kind: 'directory'
      readonly id: number
      readonly volume: number
      readonly path: BytePath
    }

/** How a name is told about. */
interface Looked extends Want {
  readonly content: PendingFile['content']
}

const stat = new StatBuffer()
const link = Buffer.alloc(4096)
const PATH_FLAGS = O.PATH | O.NOFOLLOW | O.CLOEXEC

export class Walk {
  #lastId = 0

  constructor(readonly options: WalkOptions) {}

  /** Everything at and beneath a directory. */
  *tree(volume: ResyncVolume, top: BytePath): Task {
    const pending = [top]
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const directory = openDirectory(volume.root, path)
      // Removed since its parent was listed: a key of its own says so.
      if (isAbsent(directory)) continue
      const shared = new SharedDirectory(must(directory, 'open', path))
      try {
        const names = [...namesOf(directory, path)].map((entry) => entry.name)
        this.#visit(volume, path, true)
        for (const name of names) {
          const below = this.#name(volume, shared, join(path, name), EVERYTHING)
          if (below) pending.push(join(path, name))
          yield
        }
        this.#leave(directory, path)
      } finally {
        shared.release()
      }
      yield
    }
  }

  /** Only the names of a plan. */
  *plan(volume: ResyncVolume, plan: Plan): Task {
    let current = plan
    while (current.size > 0) {
      // A directory that is not there any more is looked for in its parent, up to the root, which always is.
      const missing: Plan = new Map()
      for (const [path, wants] of current) {
        if (!(yield* this.#named(volume, path, wants))) {
          addWant(missing, path, { entry: true, zones: undefined })
        }
      }
      current = missing
    }
  }

  /** Visits the wanted names of a directory, and what is beneath them. False: there is no such directory. */
  *#named(
    volume: ResyncVolume,
    path: BytePath,
    wants: ReadonlyMap<BytePath, Want>,
  ): Generator<void, boolean> {
    const directory = openDirectory(volume.root, path)
    if (isAbsent(directory)) return false
    const shared = new SharedDirectory(must(directory, 'open', path))
    const below: BytePath[] = []
    try {
      this.#visit(volume, path, false)
      for (const [name, want] of wants) {
        const looked = { ...want, content: contentOf(want) }
        if (this.#name(volume, shared, join(path, name), looked)) below.push(join(path, name))
        yield
      }
      this.#leave(directory, path)
    } finally {
      shared.release()
    }
    for (const each of below) yield* this.tree(volume, each)
    return true
  }

  #visit(volume: ResyncVolume, path: BytePath, whole: boolean): void {
    const to = this.options.channel.begin(MESSAGE.visit)
    to.uint(volume.index)
      .text(path)
      .u8(whole ? 1 : 0)
  }

  #leave(directory: number, path: BytePath): void {
    const attributes = attributesOf(directory, path)
    putAttributes(this.options.channel.begin(MESSAGE.leave), attributes)
  }

  /** Tells about one name. True: it is a directory that is to be walked. */
  #name(volume: ResyncVolume, directory: SharedDirectory, path: BytePath, looked: Looked): boolean {
    const name = nameOf(path)
    if (path.length > PATH_BYTES_MAX) throw new TreeError('name', path, E.NAMETOOLONG)
    const fd = openat(directory.fd, cstring(name), PATH_FLAGS, 0)
    if (fd === -E.NOENT) {
      this.options.channel.begin(MESSAGE.absent).text(name)
      return false
    }
    must(fd, 'open', path)
    try {
      if (isFileLeftOut(this.options.exclusions.get(volume.index), fd, path)) return false
      const entry = this.#entry(fd, path, looked)
      putEntry(this.options.channel.begin(MESSAGE.entry), entry)
      const isDirectory = (entry.mode & MODE.TYPE) === MODE.DIRECTORY
      if (entry.links > 1 && !isDirectory) this.options.linked(volume.index, entry.inode, path)
      if (entry.ask) this.options.asked(question(volume.index, directory, path, entry, looked))
      return entry.visited
    } finally {
      close(fd)
    }
  }

  #entry(fd: number, path: BytePath, looked: Looked): Entry {
    const attributes = attributesOf(fd, path)
    must(stat.ofDescriptor(fd), 'stat', path)
    const type = stat.mode & MODE.TYPE
    const file = type === MODE.FILE
    const directory = type === MODE.DIRECTORY
    this.#lastId += 1
    return {
      ...attributes,
      id: this.#lastId,
      ask: file || (directory && !looked.entry),
      content: !file ? 'none' : typeof looked.content === 'string' ? looked.content : 'zones',
      visited: directory && looked.entry,
      name: nameOf(path),
      inode: stat.inode,
      links: stat.links,
      size: file ? stat.size : 0,
      rdevMajor: stat.rdevMajor,
      rdevMinor: stat.rdevMinor,
      target: type === MODE.LINK ? targetOf(fd, path) : '',
    }
  }
}

const EVERYTHING: Looked = { entry: true, zones: undefined, content: 'all' }

function contentOf(want: Want): PendingFile['content'] {
  if (want.entry) return 'all'
  return want.zones ?? 'none'
}

function question(
  volume: number,
  directory: SharedDirectory,
  path: BytePath,
  entry: Entry,
  looked: Looked,
): Question {
  const { id, name, size } = entry
  if ((entry.mode & MODE.TYPE) === MODE.DIRECTORY) return { kind: 'directory', id, volume, path }
  return {
    kind: 'file',
    volume,
    id,
    directory: directory.use(),
    name,
    path,
    size,
    content: looked.content,
  }
}

function targetOf(fd: number, path: BytePath): BytePath {
  const size = readlinkat(fd, cstring(''), link, link.length)
  return link.toString('latin1', 0, must(size, 'read the link', path))
}
