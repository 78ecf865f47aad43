/** What the two sides of a copy say to each other: the numbers, the fields, their limits. */
import { MalformedError, type Reader, type Writer } from '../journal/bytes.js'
import { PATH_BYTES_MAX, isName, isPath } from '../journal/path.js'
import type { BytePath, ResyncProgress } from '../resync-port.js'
import { HASH_BYTES, type Print } from './content.js'
import { NO_XATTRS, type Xattrs } from './tree.js'

/** Raised when a message changes its meaning; the two sides must have the same. */
export const PROTOCOL = 2

export const MESSAGE = {
  // Both directions
  pulse: 1,
  busy: 2,
  /** reason */
  failed: 3,
  // Target to source
  /** protocol, zone size, trusted, why, base */
  hello: 10,
  /** a piece of the target's keys */
  keys: 11,
  keysEnd: 12,
  /** answer to an entry that asked: id, state, size, first zone */
  state: 13,
  /** a directory to visit does not exist: volume, path */
  lost: 14,
  /** id, first zone, zones */
  hashes: 15,
  /** more names of files that were touched under another name: last, count, (volume, path)… */
  siblings: 16,
  roundDone: 17,
  /** id: every entry up to it that told its print and was not answered by `state` is the same here. */
  settled: 19,
  /** The target may be changed now. */
  ready: 18,
  // Source to target
  /** scope, why */
  scope: 30,
  /** volume, path, whole */
  visit: 31,
  /** see Entry */
  entry: 32,
  /** name */
  absent: 33,
  /** attributes of the directory; what was not named is extra */
  leave: 34,
  /** id, first zone, count */
  hash: 35,
  /** id, offset, bytes */
  data: 36,
  /** id, offset, length */
  hole: 37,
  /** id */
  done: 38,
  askSiblings: 39,
  /** last */
  roundEnd: 40,
  /** names that no key covers will be changed too: why. Answered by `ready`. */
  widen: 42,
  /** name, kind: it is here, and what it stands for is as it was. The target asks with `lost` for what it has not, or otherwise. */
  present: 43,
  /** numbers for the target's operator */
  progress: 41,
} as const

/** What the target found under a name that the source asked about. */
export const STATE = {
  /** The file is there, its size is right now; the content must be compared. */
  kept: 1,
  /** It is new, or was emptied: it has no content. Also a directory that is new. */
  made: 2,
  /** It is a link of a file that was already named: nothing more to do. */
  linked: 3,
  /** The directory was not there. */
  gone: 4,
} as const

const PHASES = ['comparing', 'copying', 'delta', 'last'] as const
export const SCOPES = ['keys', 'all', 'full'] as const
export type Scope = (typeof SCOPES)[number]

/** Attributes of a file that are to be the same on both sides. */
export interface Attributes {
  /** Type and permissions. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSeconds: number
  readonly mtimeNanos: number
  readonly xattrs: Xattrs
}

/** One name of the visited directory. */
export interface Entry extends Attributes {
  readonly id: number
  /** The source waits for a `state`. */
  readonly ask: boolean
  /** What the content of a file needs: nothing, comparing all of it, or only named zones. */
  readonly content: 'none' | 'all' | 'zones'
  /** Of a directory: its content is visited later, its attributes come then. */
  readonly visited: boolean
  readonly name: BytePath
  readonly inode: number
  readonly links: number
  readonly size: number
  readonly rdevMajor: number
  readonly rdevMinor: number
  /** Of a symbolic link. */
  readonly target: BytePath
  /** Of a file of one zone: what it holds. When the target has the same, it answers with `settled` only. */
  readonly print?: Print | undefined
}

const CONTENTS = ['none', 'all', 'zones'] as const
/** Of Linux: a value has at most 64 KiB, and so has the list of names. */
const XATTR_BYTES_MAX = 64 * 1024
const XATTRS_MAX = 32_768
const TARGET_BYTES_MAX = 4096
const NANOS = 1_000_000_000
export const REASON_BYTES_MAX = 4096

export function putAttributes(to: Writer, of: Attributes): void {
  to.uint(of.mode).uint(of.uid).uint(of.gid).int(of.mtimeSeconds).uint(of.mtimeNanos)
  to.uint(of.xattrs.length)
  for (const [name, value] of of.xattrs) to.text(name).text(value)
}

export function takeAttributes(from: Reader): Attributes {
  const mode = from.uint()
  const uid = from.uint()
  const gid = from.uint()
  const mtimeSeconds = from.int()
  const mtimeNanos = from.uint()
  if (mode > 0xffff || uid > 0xffffffff || gid > 0xffffffff || mtimeNanos >= NANOS) {
    throw new MalformedError('attributes are out of range')
  }
  const count = from.uint()
  if (count > XATTRS_MAX) throw new MalformedError(`${count} extended attributes`)
  if (count === 0) return { mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs: NO_XATTRS }
  const xattrs: [string, string][] = []
  for (let i = 0; i < count; i += 1) {
    xattrs.push([attributeName(from.text(256)), from.text(XATTR_BYTES_MAX)])
  }
  return { mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs }
}

function attributeName(name: string): string {
  if (name === '' || name.includes('\0')) throw new MalformedError('the name of an attribute')
  return name
}

export function putEntry(to: Writer, entry: Entry): void {
  const { print } = entry
  const flags = (entry.ask ? 1 : 0) | (entry.visited ? 2 : 0) | (print === undefined ? 0 : 4)
  to.uint(entry.id).u8(flags).u8(CONTENTS.indexOf(entry.content)).text(entry.name)
  to.uint(entry.inode).uint(entry.links).uint(entry.size)
  to.uint(entry.rdevMajor).uint(entry.rdevMinor).text(entry.target)
  putAttributes(to, entry)
  if (print !== undefined) putPrint(to, print)
}

export function takeEntry(from: Reader): Entry {
  const id = from.uint()
  const flags = from.u8()
  const content = CONTENTS[from.u8()]
  const name = takeName(from)
  const inode = from.uint()
  const links = from.uint()
  const size = from.uint()
  const rdevMajor = from.uint()
  const rdevMinor = from.uint()
  const target = from.text(TARGET_BYTES_MAX)
  const attributes = takeAttributes(from)
  const print = (flags & 4) === 0 ? undefined : takePrint(from)
  if (content === undefined) throw new MalformedError('the content of an entry')
  if (rdevMajor > 0xfff || rdevMinor > 0xfffff) throw new MalformedError('a device number')
  if (target.includes('\0')) throw new MalformedError('the target of a symbolic link')
  if (print !== undefined && content !== 'all') throw new MalformedError('a print of no content')
  // Named one by one: an object that is spread into another one costs more than all else that is done for an entry.
  const { mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs } = attributes
  return {
    mode,
    uid,
    gid,
    mtimeSeconds,
    mtimeNanos,
    xattrs,
    id,
    ask: (flags & 1) !== 0,
    visited: (flags & 2) !== 0,
    content,
    name,
    inode,
    links,
    size,
    rdevMajor,
    rdevMinor,
    target,
    print,
  }
}

export function putPrint(to: Writer, print: Print): void {
  to.u32(print.dataBytes).raw(print.hash)
}

/** The print at the front of the reader. */
export function takePrint(from: Reader): Print {
  // The reader's memory is used again before the print is looked at.
  return { dataBytes: from.u32(), hash: Buffer.from(from.raw(HASH_BYTES)) }
}

/** A count, and as many prints: as many as are there, whatever the count says. */
export function takePrints(from: Reader): readonly Print[] {
  const count = from.uint()
  const prints: Print[] = []
  for (let i = 0; i < count; i += 1) prints.push(takePrint(from))
  return prints
}

export function takeName(from: Reader): BytePath {
  const name = from.text(256)
  if (!isName(name)) throw new MalformedError('a name that can be no name in a directory')
  return name
}

export function takePath(from: Reader): BytePath {
  const path = from.text(PATH_BYTES_MAX)
  if (!isPath(path)) throw new MalformedError('a path that leaves the root')
  return path
}

export function putProgress(to: Writer, of: ResyncProgress): void {
  to.u8(PHASES.indexOf(of.phase)).uint(of.filesDone).uint(of.filesTotal)
  to.uint(of.bytesDone).uint(of.bytesTotal).uint(of.contentBytes)
}

export function takeProgress(from: Reader): ResyncProgress {
  const phase = PHASES[from.u8()]
  if (phase === undefined) throw new MalformedError('the phase of a progress')
  return {
    phase,
    filesDone: from.uint(),
    filesTotal: from.uint(),
    bytesDone: from.uint(),
    bytesTotal: from.uint(),
    contentBytes: from.uint(),
  }
}
