/**
 * The ops on the wire: how each change is written into a record by the server. All numbers little endian.
 * Layout: u8 kind, u8 volume, u16 flags, u32 number, u64 node, then what the kind says. Read by follow/applier.ts.
 */
import type { Node } from '../nodes.js'
import type { Content, OutBuffer } from './records.js'

/** Kinds below 64 are numbered in their order and acknowledged; the others are not. */
export const KIND = {
  WRITE: 1,
  MAKE: 2,
  LINK: 3,
  REMOVE: 4,
  RENAME: 5,
  ATTRIBUTES: 6,
  SET_XATTR: 7,
  REMOVE_XATTR: 8,
  ALLOCATE: 9,
  SYNC: 10,
  /** Nothing to do: its acknowledgement says that all before it is applied. */
  FENCE: 11,

  INTRODUCE: 64,
  FORGET: 65,
  TIMES: 66,
  /** The follower opens a window and answers WINDOW_SYNCED when its disk has everything before. */
  WINDOW: 67,
  /** Both disks have everything before the window: its keys can be dropped. */
  WINDOW_DONE: 68,
  PULSE: 69,
  /** Like WRITE; the WRITE or FENCE that follows at once says that the whole write is applied. */
  WRITE_PART: 70,
  /** A question of a verification (verification/messages.ts), answered by ANSWER. Only to a follower of LEVEL.VERIFY. */
  QUESTION: 71,

  // From the follower
  APPLIED: 96,
  SYNCED: 97,
  WINDOW_SYNCED: 98,
  FAILED: 99,
  /** The follower knows that its tree is equal: it applies ops from now on. The first FENCE tells it that it is live. */
  READY: 100,
  ANSWER: 101,
} as const

/** What a follower understands beyond the protocol's first version: it says so with READY. An unknown kind ends a link. */
export const LEVEL = { VERIFY: 1 } as const

/** Kinds below this are numbered. */
export const NUMBERED = 64

export const HEAD = 16
export const WRITE_HEAD = HEAD + 8

/** Flags of MAKE. */
export const MAKE = { UNNAMED: 1 } as const
/** Flags of REMOVE. */
export const REMOVE = { DIRECTORY: 1, LAST: 2 } as const
/** Flags of RENAME: what it replaced lost its last link. */
export const RENAMED = { REPLACED_LAST: 1 } as const
/** Flags of SYNC. */
export const SYNC = { DATA_ONLY: 1 } as const

/** Which attributes an ATTRIBUTES op carries. */
export const ATTRIBUTE = { MODE: 1, OWNER: 2, SIZE: 4, ATIME: 8, MTIME: 16 } as const
export const ATTRIBUTES_BYTES = 48

/** What is made, as it was asked for: the follower does the same, so defaults and inherited ACLs come out the same. */
export interface Making {
  mode: number
  umask: number
  /** Given to what was made; -1: as the directory and the kernel have it. */
  uid: number
  gid: number
  rdev: number
  /** Of a symbolic link. */
  target: string
}

export interface Attributes {
  valid: number
  mode: number
  /** Or UNCHANGED. */
  uid: number
  gid: number
  size: number
  atimeSeconds: number
  atimeNanos: number
  mtimeSeconds: number
  mtimeNanos: number
}

export const UNCHANGED = 0xffff_ffff
export const NO_ATTRIBUTES: Readonly<Attributes> = {
  valid: 0,
  mode: 0,
  uid: UNCHANGED,
  gid: UNCHANGED,
  size: 0,
  atimeSeconds: 0,
  atimeNanos: 0,
  mtimeSeconds: 0,
  mtimeNanos: 0,
}

/** Writes ops into the connection's buffer. */
export class OpWriter {
  constructor(readonly out: OutBuffer) {}

  /** `kind`: WRITE or WRITE_PART. */
  write(kind: number, volume: number, node: number, offset: number, content: Content): void {
    const at = this.#open(kind, volume, 0, 0, node, 8 + content.size)
    this.#u64(at, offset)
    this.out.closeWith(content)
  }

  make(volume: number, parent: number, id: number, name: string, flags: number, m: Making): void {
    const size = 8 + 20 + 2 + name.length + 2 + m.target.length
    let at = this.#open(KIND.MAKE, volume, flags, m.mode, parent, size)
    this.#u64(at, id)
    const { view } = this.out
    view.setUint32(at + 8, m.umask, true)
    view.setInt32(at + 12, m.uid, true)
    view.setInt32(at + 16, m.gid, true)
    this.#u64(at + 20, m.rdev)
    at = this.#text(at + 28, name)
    this.#text(at, m.target)
    this.out.close()
  }

  link(volume: number, node: number, parent: number, name: string): void {
    const at = this.#open(KIND.LINK, volume, 0, 0, node, 8 + 2 + name.length)
    this.#u64(at, parent)
    this.#text(at + 8, name)
    this.out.close()
  }

  /** `node`: 0 when the server does not know it. */
  remove(volume: number, parent: number, name: string, node: number, flags: number): void {
    const at = this.#open(KIND.REMOVE, volume, flags, 0, parent, 8 + 2 + name.length)
    this.#u64(at, node)
    this.#text(at + 8, name)
    this.out.close()
  }

  rename(volume: number, move: Move): void {
    const size = 8 + 8 + 8 + 8 + 2 + move.name.length + 2 + move.newName.length
    const { parent, flags, mode } = move
    let at = this.#open(KIND.RENAME, volume, flags, mode, parent, size)
    this.#u64(at, move.newParent)
    this.#u64(at + 8, move.node)
    this.#u64(at + 16, move.replaced)
    this.out.view.setInt32(at + 24, move.uid, true)
    this.out.view.setInt32(at + 28, move.gid, true)
    at = this.#text(at + 32, move.name)
    this.#text(at, move.newName)
    this.out.close()
  }

  attributes(volume: number, node: number, a: Attributes): void {
    const at = this.#open(KIND.ATTRIBUTES, volume, a.valid, a.mode, node, ATTRIBUTES_BYTES)
    const { view } = this.out
    view.setUint32(at, a.uid, true)
    view.setUint32(at + 4, a.gid, true)
    this.#u64(at + 8, a.size)
    view.setFloat64(at + 16, a.atimeSeconds, true)
    view.setUint32(at + 24, a.atimeNanos, true)
    view.setUint32(at + 28, 0, true)
    view.setFloat64(at + 32, a.mtimeSeconds, true)
    view.setUint32(at + 40, a.mtimeNanos, true)
    view.setUint32(at + 44, 0, true)
    this.out.close()
  }

  setXattr(volume: number, node: number, name: string, value: Uint8Array, flags: number): void {
    const size = 2 + name.length + value.length
    let at = this.#open(KIND.SET_XATTR, volume, flags, value.length, node, size)
    at = this.#text(at, name)
    this.out.bytes.set(value, at)
    this.out.close()
  }

  removeXattr(volume: number, node: number, name: string): void {
    const at = this.#open(KIND.REMOVE_XATTR, volume, 0, 0, node, 2 + name.length)
    this.#text(at, name)
    this.out.close()
  }

  allocate(volume: number, node: number, mode: number, offset: number, length: number): void {
    const at = this.#open(KIND.ALLOCATE, volume, 0, mode, node, 16)
    this.#u64(at, offset)
    this.#u64(at + 8, length)
    this.out.close()
  }

  /** `token` comes back with SYNCED. */
  sync(volume: number, node: number, flags: number, token: number): void {
    this.#open(KIND.SYNC, volume, flags, token, node, 0)
    this.out.close()
  }

  introduce(volume: number, node: Node): void {
    const size = 8 + 2 + node.name.length
    const at = this.#open(KIND.INTRODUCE, volume, 0, node.type, node.id, size)
    this.#u64(at, node.parent?.id ?? 0)
    this.#text(at + 8, node.name)
    this.out.close()
  }

  forget(volume: number, node: number): void {
    this.#open(KIND.FORGET, volume, 0, 0, node, 0)
    this.out.close()
  }

  times(volume: number, node: number, mtimeSeconds: number, mtimeNanos: number): void {
    const at = this.#open(KIND.TIMES, volume, 0, mtimeNanos, node, 8)
    this.out.view.setFloat64(at, mtimeSeconds, true)
    this.out.close()
  }

  /** FENCE, WINDOW, WINDOW_DONE, PULSE, and what the follower says with one number. */
  plain(kind: number, number = 0, value = 0): void {
    this.#open(kind, 0, 0, number, value, 0)
    this.out.close()
  }

  /** QUESTION or ANSWER; `token` of the question comes back with its answer. */
  about(kind: number, volume: number, token: number, body: Uint8Array): void {
    const at = this.#open(kind, volume, 0, token, 0, body.length)
    this.out.bytes.set(body, at)
    this.out.close()
  }

  failed(reason: string): void {
    const text = Buffer.from(reason.slice(0, 1000), 'utf8').toString('latin1')
    const at = this.#open(KIND.FAILED, 0, 0, 0, 0, 2 + text.length)
    this.#text(at, text)
    this.out.close()
  }

  #open(
    kind: number,
    volume: number,
    flags: number,
    number: number,
    node: number,
    rest: number,
  ): number {
    const at = this.out.open(HEAD + rest)
    const { view } = this.out
    view.setUint8(at, kind)
    view.setUint8(at + 1, volume)
    view.setUint16(at + 2, flags, true)
    view.setUint32(at + 4, number, true)
    this.#u64(at + 8, node)
    return at + HEAD
  }

  #u64(at: number, value: number): void {
    const { view } = this.out
    view.setUint32(at, value % 0x1_0000_0000, true)
    view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
  }

  #text(at: number, text: string): number {
    this.out.view.setUint16(at, text.length, true)
    this.out.bytes.write(text, at + 2, 'latin1')
    return at + 2 + text.length
  }
}

/** A rename as it happened. `node` and `replaced`: 0 when the server does not know them. */
export interface Move {
  readonly parent: number
  readonly name: string
  readonly newParent: number
  readonly newName: string
  /** Of the op (RENAMED). */
  readonly flags: number
  /** Of renameat2. */
  readonly mode: number
  readonly node: number
  readonly replaced: number
  /** Owner and group of a whiteout that was left at the old name; -1: as the kernel made it. */
  readonly uid: number
  readonly gid: number
}
