/** The source's walk: tells the target directory by directory what there is. Never waits; yields between small steps. */
import { E, MODE, O, cstring, openat, close, readahead, readlinkat } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { PATH_BYTES_MAX, join } from '../journal/path.js'
import { isLeftOut, type Exclusions } from '../exclusions.js'
import type { BytePath, ResyncVolume } from '../resync-port.js'
import { attributesOf } from './attributes.js'
import type { Channel } from './channel.js'
import type { Printer } from './content.js'
import { FILE_FLAGS, SharedDirectory, type PendingFile, type Task } from './files.js'
import { kindOf } from './kind.js'
import { MESSAGE, putAttributes, putEntry, type Entry } from './messages.js'
import { addWant, type Plan, type Want } from './plan.js'
import type { Question } from './questions.js'
import {
  DT,
  TreeError,
  inDiskOrder,
  isAbsent,
  listingsOf,
  must,
  openDirectory,
  xattrsOf,
} from './tree.js'

export interface WalkOptions {
  readonly channel: Channel
  readonly printer: Printer
  /** Are files told of with what they hold? Asked again and again. */
  readonly tellsPrints: () => boolean
  /** By volume: what is not told about. */
  readonly exclusions: ReadonlyMap<number, Exclusions>
  /** The target will tell the state of this name. */
  readonly asked: (question: Question) => void
  /** A file with several names was told about. */
  readonly linked: (volume: number, inode: number, path: BytePath) => void
}

/** One name of a directory, and how it is told about. */
interface Look extends Want {
  readonly name: BytePath
  readonly content: PendingFile['content']
  /** The directory says that it is a regular file. */
  readonly isFile: boolean
}

/** A directory that is being told about. */
interface Visited {
  readonly volume: ResyncVolume
  readonly directory: SharedDirectory
  readonly path: BytePath
}

/** A name that is open. */
interface Opened {
  readonly look: Look
  readonly path: BytePath
  /** Negative: it is not there. */
  readonly fd: number
  /** Its content can be read; else the descriptor is one of O_PATH. */
  readonly reads: boolean
}

/** Names that are opened, and whose content begins to come from the disk, before the first of them is told about. */
const BATCH = 64
const PATH_FLAGS = O.PATH | O.NOFOLLOW | O.CLOEXEC
const stat = new StatBuffer()
const link = Buffer.alloc(4096)

export class Walk {
  #lastId = 0

  constructor(readonly options: WalkOptions) {}

  /** Everything at and beneath a directory. */
  *tree(volume: ResyncVolume, top: BytePath): Task {
    const pending = [top]
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      // Removed since its parent was listed: a key of its own says so.
      const isThere = yield* this.#inside(volume, path, true, (visited) =>
        this.#tellAll(visited, pending),
      )
      if (isThere) yield
    }
  }

  /** Only the names of a plan. */
  *plan(volume: ResyncVolume, plan: Plan, listed: readonly BytePath[]): Task {
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
    // What was placed by now is not asked for again. A directory that is gone has a key in its parent.
    for (const path of listed) {
      yield* this.#inside(volume, path, true, (visited) => this.#tellNames(visited))
    }
  }

  /** Tells of a directory with what `tell` says of its names. False: there is no such directory. */
  *#inside(
    volume: ResyncVolume,
    path: BytePath,
    whole: boolean,
    tell: (visited: Visited) => Task,
  ): Generator<void, boolean> {
    const found = openDirectory(volume.root, path)
    if (isAbsent(found)) return false
    const directory = new SharedDirectory(must(found, 'open', path))
    const visited = { volume, directory, path }
    try {
      this.#visit(visited, whole)
      yield* tell(visited)
      this.#leave(visited)
    } finally {
      directory.release()
    }
    return true
  }

  *#tellAll(visited: Visited, pending: BytePath[]): Task {
    for (const names of listingsOf(visited.directory.fd, visited.path)) {
      const looks = inDiskOrder(names).map(({ name, type }) => {
        const isFile = type === DT.FILE
        return { name, isFile, entry: true, zones: undefined, content: 'all' as const }
      })
      yield* this.#tell(visited, looks, pending)
    }
  }

  /** Tells which names a directory has. What the target has beside them it removes. */
  *#tellNames({ volume, directory, path }: Visited): Task {
    const { channel, exclusions } = this.options
    for (const names of listingsOf(directory.fd, path)) {
      for (const { name, type } of names) {
        const kind = kindOf(directory.fd, name, type)
        const isDirectory = kind === DT.DIRECTORY
        const leftOut = isLeftOut(exclusions, volume.index, join(path, name), isDirectory)
        if (kind !== DT.UNKNOWN && !leftOut) {
          channel.begin(MESSAGE.present).text(name).u8(kind)
        }
        yield
      }
    }
  }

  /** Visits the wanted names of a directory, and what is beneath them. False: there is no such directory. */
  *#named(
    volume: ResyncVolume,
    path: BytePath,
    wants: ReadonlyMap<BytePath, Want>,
  ): Generator<void, boolean> {
    const below: BytePath[] = []
    const isThere = yield* this.#inside(volume, path, false, (visited) => {
      const looks = [...wants].map(([name, want]) => {
        const { entry, zones } = want
        return { name, isFile: false, entry, zones, content: contentOf(want) }
      })
      return this.#tell(visited, looks, below)
    })
    if (!isThere) return false
    for (const each of below) yield* this.tree(volume, each)
    return true
  }

  #visit({ volume, path }: Visited, whole: boolean): void {
    const to = this.options.channel.begin(MESSAGE.visit)
    to.uint(volume.index)
      .text(path)
      .u8(whole ? 1 : 0)
  }

  #leave({ directory, path }: Visited): void {
    const attributes = attributesOf(directory.fd, path)
    putAttributes(this.options.channel.begin(MESSAGE.leave), attributes)
  }

  /** Tells about names of a directory; the directories among them that are to be walked are added to `below`. */
  *#tell(visited: Visited, looks: readonly Look[], below: BytePath[]): Task {
    for (let from = 0; from < looks.length; from += BATCH) {
      const waiting: Opened[] = []
      try {
        for (const look of looks.slice(from, from + BATCH)) waiting.push(this.#open(visited, look))
        waiting.reverse()
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          if (this.#tellOne(visited, next)) below.push(next.path)
          yield
        }
      } finally {
        for (const { fd } of waiting) if (fd >= 0) close(fd)
      }
    }
  }

  #open({ directory, path: parent }: Visited, look: Look): Opened {
    const path = join(parent, look.name)
    if (path.length > PATH_BYTES_MAX) throw new TreeError('name', path, E.NAMETOOLONG)
    const name = cstring(look.name)
    const mayRead = look.isFile && look.content === 'all' && this.options.tellsPrints()
    const readable = mayRead ? openat(directory.fd, name, FILE_FLAGS, 0) : -1
    if (readable >= 0) {
      // No error counts here: reading itself will tell.
      readahead(readable, 0, this.options.printer.zoneBytes)
      return { look, path, fd: readable, reads: true }
    }
    const fd = openat(directory.fd, name, PATH_FLAGS, 0)
    return { look, path, fd: fd === -E.NOENT ? fd : must(fd, 'open', path), reads: false }
  }

  /** Tells about one name and closes it. True: it is a directory that is to be walked. */
  #tellOne({ volume, directory }: Visited, opened: Opened): boolean {
    const { look, path, fd } = opened
    const { channel, exclusions, linked, asked } = this.options
    if (fd < 0) {
      channel.begin(MESSAGE.absent).text(look.name)
      return false
    }
    try {
      must(stat.ofDescriptor(fd), 'stat', path)
      const isDirectory = (stat.mode & MODE.TYPE) === MODE.DIRECTORY
      if (isLeftOut(exclusions, volume.index, path, isDirectory)) return false
      const entry = this.#entry(opened)
      putEntry(channel.begin(MESSAGE.entry), entry)
      if (entry.links > 1 && !isDirectory) linked(volume.index, entry.inode, path)
      if (entry.ask) asked(questionOf(volume.index, directory, opened, entry))
      return entry.visited
    } finally {
      close(fd)
    }
  }

  /** `stat` holds what is open. */
  #entry({ look, path, fd, reads }: Opened): Entry {
    const type = stat.mode & MODE.TYPE
    const isFile = type === MODE.FILE
    const isDirectory = type === MODE.DIRECTORY
    const { printer } = this.options
    const tells = isFile && reads && stat.size <= printer.zoneBytes
    this.#lastId += 1
    // Named one by one: see takeEntry.
    return {
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      mtimeSeconds: stat.mtimeSeconds,
      mtimeNanos: stat.mtimeNanos,
      xattrs: xattrsOf(fd, path),
      id: this.#lastId,
      ask: isFile || (isDirectory && !look.entry),
      content: !isFile ? 'none' : typeof look.content === 'string' ? look.content : 'zones',
      visited: isDirectory && look.entry,
      name: look.name,
      inode: stat.inode,
      links: stat.links,
      size: isFile ? stat.size : 0,
      rdevMajor: stat.rdevMajor,
      rdevMinor: stat.rdevMinor,
      target: type === MODE.LINK ? targetOf(fd, path) : '',
      print: tells ? printer.print(fd, 0, stat.size, path) : undefined,
    }
  }
}

function contentOf(want: Want): PendingFile['content'] {
  if (want.entry) return 'all'
  return want.zones ?? 'none'
}

function questionOf(
  volume: number,
  directory: SharedDirectory,
  { look, path }: Opened,
  { id, name, mode, size, print }: Entry,
): Question {
  if ((mode & MODE.TYPE) === MODE.DIRECTORY) return { kind: 'directory', id, volume, path }
  const { content } = look
  const printed = print !== undefined
  return {
    kind: 'file',
    volume,
    id,
    directory: directory.use(),
    name,
    path,
    size,
    content,
    printed,
  }
}

function targetOf(fd: number, path: BytePath): BytePath {
  const size = readlinkat(fd, cstring(''), link, link.length)
  return link.toString('latin1', 0, must(size, 'read the link', path))
}
