/** fsyncs that are under way: on the local disk by a worker thread and, with `async="none"`, on the follower's. */
import type { Reply } from '../fuse/reply.js'
import type { Request } from '../fuse/request.js'
import { E } from '../libc.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import type { WorkerPool } from '../workers/pool.js'

interface Sync {
  readonly volume: Volume
  readonly node: Node
  readonly uniqueLow: number
  readonly uniqueHigh: number
  local: number | undefined
  remoteWaits: boolean
  /** Answered instead of the local result. */
  failure: number
}

export class Syncs {
  readonly #open = new Map<number, Sync>()
  #token = 0

  constructor(
    readonly pool: WorkerPool,
    readonly reply: Reply,
    /** fsync waits for both disks. */
    readonly both: boolean,
  ) {}

  get count(): number {
    return this.#open.size
  }

  /** Starts both halves. `ask`: tells the follower, who answers with the token; undefined: only the local disk counts. */
  start(
    volume: Volume,
    node: Node,
    fd: number,
    request: Request,
    dataOnly: boolean,
    ask: ((token: number) => void) | undefined,
  ): void {
    const token = (this.#token = (this.#token + 1) % 0xffff_ffff)
    const sync: Sync = {
      volume,
      node,
      uniqueLow: request.uniqueLow,
      uniqueHigh: request.uniqueHigh,
      local: undefined,
      remoteWaits: ask !== undefined,
      failure: 0,
    }
    this.#open.set(token, sync)
    node.pins++
    // First: both disks shall work at the same time, also when this side's is quick enough for the loop.
    ask?.(token)
    this.pool.fsync(volume.syncing, fd, dataOnly, (result) => {
      volume.table.unpin(node)
      // What can't be synced by its nature (a pipe, some special files) is not an error of the disk.
      sync.local = result === -E.BADF || result === -E.INVAL ? 0 : result
      this.#answerIfDone(token, sync)
    })
  }

  /** The follower's disk has it. */
  remoteDone(token: number): void {
    const sync = this.#open.get(token)
    if (sync === undefined) return
    sync.remoteWaits = false
    this.#answerIfDone(token, sync)
  }

  /** Going on alone: only the local disk counts. */
  releaseRemote(): void {
    for (const token of [...this.#open.keys()]) this.remoteDone(token)
  }

  /** The role is given up: whoever waits for the follower's disk hears that it can't be told. */
  failRemote(error: number): void {
    for (const [token, sync] of [...this.#open]) {
      if (!sync.remoteWaits) continue
      sync.failure = error
      this.remoteDone(token)
    }
  }

  /** A new session: what still waits for the follower's disk is asked for again. `ask` false: nobody can. */
  repeatRemote(ask: (volume: Volume, node: Node, token: number) => boolean): void {
    for (const [token, sync] of [...this.#open]) {
      if (sync.remoteWaits && !ask(sync.volume, sync.node, token)) this.remoteDone(token)
    }
  }

  #answerIfDone(token: number, sync: Sync): void {
    if (sync.local === undefined || sync.remoteWaits) return
    this.#open.delete(token)
    this.reply.errorTo(sync.uniqueLow, sync.uniqueHigh, Math.min(sync.local, sync.failure, 0))
    this.reply.send(sync.volume.fuse)
  }
}
