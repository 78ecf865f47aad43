/**
 * The way to the follower while it is live: introductions before the first use of a node, ops, owed times, and the
 * answers that wait. When nobody follows live, `live` is false and nothing of this is used.
 */
import { assert } from '@holdfast/sdk'
import type { Reply } from '../fuse/reply.js'
import { StatBuffer } from '../stat.js'
import { KIND, OpWriter, WRITE_HEAD } from '../link/ops.js'
import type { OutBuffer } from '../link/records.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { findName } from './find-name.js'
import type { Pending } from './pending.js'

const NOTHING = Buffer.alloc(0)
/** Times told in one go; the others are told a moment later. */
const TIMES_AT_ONCE_MAX = 4096

/** Content that was written: `size` bytes of a file from `offset` on, which lie in `from` at `at`. */
export interface Written {
  offset: number
  from: Buffer
  at: number
  size: number
}

interface Owing {
  readonly volume: Volume
  readonly node: Node
}

export class Stream {
  #writer: OpWriter | undefined
  #socket = -1
  #session = 0
  #owed: Owing[] = []
  readonly #stat = new StatBuffer()
  now = 0
  /** Bytes of ops and of data sent over all sessions. */
  opsSent = 0

  constructor(readonly pending: Pending) {}

  get live(): boolean {
    return this.#writer !== undefined
  }

  get session(): number {
    return this.#session
  }

  /** Ops go out from now on. */
  begin(out: OutBuffer, socket: number): void {
    this.pending.restart()
    this.#session++
    this.#owed = []
    this.#writer = new OpWriter(out)
    this.#socket = socket
  }

  /** Nothing goes out any more; what waits stays waiting. */
  end(): void {
    this.#writer = undefined
    for (const { node } of this.#owed) node.owed = false
    this.#owed = []
  }

  /** Whoever calls this has asked `live` (or `concerns`). */
  get ops(): OpWriter {
    assert(this.#writer !== undefined, 'ops are written only while a follower is live')
    return this.#writer
  }

  /** Does what happens to this node concern the follower now? Introduces it. */
  concerns(volume: Volume, node: Node): boolean {
    if (this.#writer === undefined || node.gone || node.local) return false
    if (node.session === this.#session || node.isRoot) return true
    // A file made without a name in an earlier session is told about when it is linked.
    if (node.parent === undefined && (node.linkable || !findName(volume, node))) return false
    this.#introduce(volume, node)
    return true
  }

  /** The node's id for an op, 0 when the follower does not know it (and need not). */
  idOf(node: Node | undefined): number {
    return node !== undefined && node.session === this.#session ? node.id : 0
  }

  /** An op was made that introduces the node by itself. */
  introduced(node: Node): void {
    node.session = this.#session
  }

  /** The follower shall know a further name of a node that it knows. */
  nameAgain(volume: Volume, node: Node): void {
    if (this.#writer === undefined || node.parent === undefined) return
    this.#introduce(volume, node.parent)
    this.#writer.introduce(volume.index, node)
  }

  write(volume: Volume, node: Node, written: Written, isPart = false): void {
    const kind = isPart ? KIND.WRITE_PART : KIND.WRITE
    this.ops.write(kind, volume.index, node.id, written.offset, written)
  }

  /** Sends what was written so far while more is made. When that fails, the end of the round finds it again. */
  push(): void {
    this.#writer?.out.flush(this.#socket)
  }

  /** The op just written is numbered; this answer waits for it. */
  answerLater(volume: Volume, reply: Reply, weight: number): void {
    this.opsSent++
    this.pending.hold(volume.fuse, reply.bytes, reply.length, weight + WRITE_HEAD, this.now)
  }

  /** The op just written is numbered, and nobody waits for it. */
  unanswered(): void {
    this.opsSent++
    this.pending.hold(-1, NOTHING, 0, WRITE_HEAD, this.now)
  }

  /** The node left the table. */
  forget(volume: Volume, node: Node): void {
    if (this.#writer === undefined || node.session !== this.#session || node.gone) return
    // Later nobody knows any more which node it was.
    if (node.owed) this.#payTime(volume, node)
    this.#writer.forget(volume.index, node.id)
  }

  /** The kernel set a time of this node by itself: the follower has to be told, soon. */
  owe(volume: Volume, node: Node): void {
    if (this.#writer === undefined || node.owed || node.gone || node.local) return
    node.owed = true
    this.#owed.push({ volume, node })
  }

  /** The same of a directory in which something changed that is not told. */
  oweIf(volume: Volume, node: Node): void {
    if (this.concerns(volume, node)) this.owe(volume, node)
  }

  /** Tells the time of a node if it is owed. */
  settle(volume: Volume, node: Node | undefined): void {
    if (this.#writer !== undefined && node?.owed === true) this.#payTime(volume, node)
  }

  get owes(): boolean {
    return this.#owed.length > 0
  }

  /** Tells times that are owed. */
  payTimes(): void {
    if (this.#writer === undefined || this.#owed.length === 0) return
    for (const { volume, node } of this.#owed.splice(0, TIMES_AT_ONCE_MAX)) {
      if (node.owed) this.#payTime(volume, node)
    }
  }

  #payTime(volume: Volume, node: Node): void {
    node.owed = false
    // Removed meanwhile: nobody can see its time.
    if (volume.table.stat(node, this.#stat) < 0 || !this.concerns(volume, node)) return
    const { mtimeSeconds, mtimeNanos } = this.#stat
    this.ops.times(volume.index, node.id, mtimeSeconds, mtimeNanos)
  }

  #introduce(volume: Volume, node: Node): void {
    if (node.session === this.#session || node.isRoot) return
    node.session = this.#session
    assert(node.parent !== undefined, 'a node has a name when it is introduced')
    this.#introduce(volume, node.parent)
    this.ops.introduce(volume.index, node)
  }
}
