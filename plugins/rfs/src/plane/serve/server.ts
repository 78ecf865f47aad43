/**
 * The serving side: the mounts, and what becomes of a change at each moment.
 *
 *   alone  it is recorded and answered at once
 *   live   it is answered when the follower has applied it
 *   held   it waits: a follower must have it and none is live, or the last round of a copy is under way
 *   refused  it is answered with EIO: the node gives up its role and can't keep what it would promise
 *
 * Only the order `detach` leads from held to alone, only `refuse` to refused, and nothing leads out of that.
 */
import { HoldfastError, assert } from '@holdfast/sdk'
import type { PlaneLink } from '../../driver/protocol.js'
import { OP } from '../fuse/abi.js'
import { mountOver, unmountOurs } from '../fuse/mount.js'
import { Reads } from '../fuse/reads.js'
import { Reply } from '../fuse/reply.js'
import { Request } from '../fuse/request.js'
import { FuseSession } from '../fuse/session.js'
import { E, POLL, close } from '../libc.js'
import type { Connection } from '../link/connection.js'
import { HEAD, KIND } from '../link/ops.js'
import type { InBuffer } from '../link/records.js'
import type { PlaneParts } from '../parts.js'
import type { ResyncEvent } from '../resync-port.js'
import { syncAll } from '../sync.js'
import { Toucher } from '../touch.js'
import { Volume } from '../volume.js'
import { isChange } from './change-parts.js'
import { Changes } from './changes.js'
import { Copy, type AdmitOrder } from './copy.js'
import { type Fate, fateOf, type Mode, modeAfter } from './decide.js'
import { Parked } from './parked.js'
import { PENDING_BYTES_MAX, Pending } from './pending.js'
import { Stream } from './stream.js'
import { Syncs } from './syncs.js'
import { WINDOW_MS, Windows } from './windows.js'

const TIMES_MS = 500

export class Server {
  readonly #request = new Request()
  readonly #reply = new Reply()
  readonly #pending = new Pending()
  readonly #stream = new Stream(this.#pending)
  readonly #parked = new Parked()
  readonly #syncs: Syncs
  readonly #changes: Changes
  readonly #reads: Reads
  readonly #volumes: Volume[] = []
  readonly #sessions: FuseSession[] = []
  readonly #windows: Windows
  readonly #copy: Copy
  #mode: Mode
  /** The last round of a copy: changes wait, whatever the mode is. */
  #lastRound = false
  #leaving = false
  #timesAt = 0
  #windowAt = 0
  #windowOps = 0
  #draining: { done: () => void; failed: (cause: string) => void }[] = []

  constructor(
    readonly parts: PlaneParts,
    public generation: string,
    alone: boolean,
  ) {
    this.#mode = alone ? 'alone' : 'held'
    const { pool, launch, journal } = parts
    this.#syncs = new Syncs(pool, this.#reply, launch.async === 'none')
    this.#reads = new Reads(this.#reply, pool)
    this.#changes = new Changes({
      reply: this.#reply,
      stream: this.#stream,
      toucher: new Toucher(journal, launch.zoneBytes),
      syncs: this.#syncs,
      giveUp: (volume, request, cause) => {
        this.#parked.keep(volume, request)
        this.#copy.drop(cause)
      },
      diverged: (cause) => this.#copy.drop(cause),
    })
    this.#windows = new Windows(journal, this.#volumes, pool, () =>
      parts.log('critical', 'diskFailed', {
        cause: 'syncfs failed: the disk may have lost writes',
      }),
    )
    this.#copy = new Copy(parts, this.#volumes, {
      onLastRound: () => void (this.#lastRound = true),
      onLive: (connection, order) => this.#becomeLive(connection, order),
      onLost: (epoch, cause) => this.#becomeLost(epoch, cause),
      onProgress: (epoch, progress) => parts.tell({ event: 'progressed', epoch, progress }),
      onRecord: (input) => this.#record(input),
      log: parts.log,
    })
  }

  get link(): PlaneLink {
    if (this.#mode === 'live') return 'live'
    if (this.#copy.copying) return 'copying'
    return this.#mode === 'held' ? 'held' : 'none'
  }

  get heardMsAgo(): number | undefined {
    return this.#copy.connection?.heardMsAgo
  }

  get copy(): Copy {
    return this.#copy
  }

  get counters(): Record<string, number> {
    return {
      opsSent: this.#stream.opsSent,
      opsWaiting: this.#pending.count,
      syncsWaiting: this.#syncs.count,
      held: this.#parked.count,
      nodes: this.#volumes.reduce((sum, { table }) => sum + table.count, 0),
      descriptors: this.parts.descriptors.count,
    }
  }

  /** Opens, mounts and listens. On failure everything is undone, and the error says why. */
  async start(): Promise<void> {
    const { launch, descriptors } = this.parts
    try {
      this.#copy.listen()
      for (const { index, directory } of launch.volumes) {
        this.#volumes.push(
          Volume.open(index, directory, descriptors, (volume, node) =>
            this.#stream.forget(volume, node),
          ),
        )
      }
      for (const volume of this.#volumes) await this.#mount(volume)
    } catch (error) {
      this.#copy.stop()
      for (const volume of this.#volumes) {
        if (volume.fuse >= 0) await unmountOurs(volume.point, true)
        this.#abort(volume)
        volume.close()
      }
      throw error
    }
  }

  admit(order: AdmitOrder): void {
    if (this.#mode === 'refused') {
      throw new HoldfastError('E_RFS_REFUSING', 'this node is giving up its role')
    }
    this.#copy.admit(order)
  }

  /** Alone from now on: the right to it was obtained and persisted by whoever orders this. */
  detach(generation: string): void {
    if (this.#mode === 'refused') return
    this.generation = generation
    this.#mode = modeAfter(this.#mode, 'lost')
    this.#copy.drop('this side goes on alone')
    this.#mode = modeAfter(this.#mode, 'detached')
    this.#pending.release()
    this.#syncs.releaseRemote()
    this.#replay()
  }

  /**
   * The role is given up while changes may wait. A program that waits in a change can't be ended, not even killed; an
   * error lets it go, and promises nothing.
   */
  refuse(): void {
    this.#copy.drop('this side gives up its role')
    this.#mode = modeAfter(this.#mode, 'refused')
    this.#pending.fail(-E.IO)
    this.#syncs.failRemote(-E.IO)
    this.#replay()
  }

  /** Resolves when all that was changed so far is applied by the follower (or recorded, when alone). */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#mode === 'live') {
        this.#stream.now = this.parts.loop.now
        while (this.#stream.owes) this.#stream.payTimes()
        this.#stream.ops.plain(KIND.FENCE)
        this.#stream.unanswered()
      }
      const failed = (cause: string): void => {
        reject(new HoldfastError('E_RFS_HELD', `can't drain: ${cause}`))
      }
      if (this.#mode === 'held')
        failed('changes wait for a follower or for the order to go on alone')
      else this.#draining.push({ done: resolve, failed })
    })
  }

  /** Unmounts. Throws E_RFS_BUSY while files are open, unless it is forced. */
  async stop(force: boolean): Promise<void> {
    this.#leaving = true
    for (const volume of this.#volumes) {
      if (volume.fuse < 0) continue
      const failure = await unmountOurs(volume.point, force)
      if (failure !== undefined && !force) {
        this.#leaving = false
        throw new HoldfastError('E_RFS_BUSY', `${volume.directory} is in use: ${failure}`, {
          hint: 'A program still uses the directory.',
        })
      }
      this.#leave(volume)
    }
    this.#copy.stop()
    this.#stream.end()
    this.#parked.clear()
    assert(this.#sessions.length === 0, 'nothing comes in any more')
    // A power cut after this end must not take back what the other node has: this one may be the next to serve.
    await syncAll(this.parts, this.#volumes)
    for (const volume of this.#volumes) {
      this.#abort(volume)
      volume.close()
    }
  }

  onResync(event: ResyncEvent): void {
    this.#copy.onResync(event)
  }

  /** Once in a while, at least five times in a time-out. */
  tick(): void {
    const { now } = this.parts.loop
    // What an older session left waiting says nothing about the link over which the copy runs.
    this.#copy.tick(this.#mode === 'live' ? this.#pending.oldestSince : undefined)
    if (this.#mode !== 'live') return
    if (now - this.#timesAt >= TIMES_MS) {
      this.#timesAt = now
      this.#stream.payTimes()
    }
    const changed = this.#stream.opsSent !== this.#windowOps
    if (now - this.#windowAt >= WINDOW_MS && changed && !this.#windows.closing) {
      this.#windowAt = now
      this.#windowOps = this.#stream.opsSent
      // The keys of these nodes are dropped with the window: what is still owed must be on the other disk as well.
      while (this.#stream.owes) this.#stream.payTimes()
      this.#windows.close(this.#stream.ops)
    }
  }

  /** After each round of the loop: what was collected goes out. */
  afterRound(): void {
    // More was kept than may be sent at once: it goes on before anything new is read.
    if (this.#parked.count > 0 && this.#fate !== 'kept') this.#replay()
    this.#copy.connection?.flush()
    const wants = this.#mayRead() ? POLL.IN : 0
    for (const session of this.#sessions) session.wants = wants
    if (this.#draining.length > 0) this.#checkDrained()
  }

  async #mount(volume: Volume): Promise<void> {
    const { loop, launch } = this.parts
    volume.fuse = await mountOver(volume.directory, launch.module)
    const session = new FuseSession(volume, {
      request: this.#request,
      reply: this.#reply,
      onRequest: (one, request) => this.#handle(one, request),
      onEnded: (one, cause) => this.#mountEnded(one, cause),
      mayRead: () => this.#mayRead(),
    })
    this.#sessions.push(session)
    loop.add(session)
    await session.untilReady()
  }

  #mayRead(): boolean {
    const waiting = this.#copy.connection?.out.waiting ?? 0
    return !this.#pending.full && !this.#parked.full && waiting < PENDING_BYTES_MAX
  }

  #handle(volume: Volume, request: Request): void {
    this.#stream.now = this.parts.loop.now
    if (this.#reads.handle(volume, request)) return
    if (!isChange(request.opcode)) {
      // OPEN, CREATE, FLUSH, ACCESS, IOCTL …: the kernel remembers, and does not ask again.
      this.#reply.error(request, request.opcode === OP.SYNCFS ? 0 : -E.NOSYS)
      this.#reply.send(volume.fuse)
      return
    }
    switch (this.#fate) {
      case 'refused':
        this.#reply.error(request, -E.IO)
        this.#reply.send(volume.fuse)
        return
      case 'kept':
        this.#parked.keep(volume, request)
        return
      case 'made':
        this.#changes.handle(volume, request)
    }
  }

  get #fate(): Fate {
    return fateOf(this.#mode, { lastRound: this.#lastRound, full: this.#pending.full })
  }

  #replay(): void {
    const handle = (volume: Volume): void => this.#handle(volume, this.#request)
    this.#parked.replay(this.#request, handle, () => this.#fate !== 'kept')
  }

  #becomeLive(connection: Connection, order: AdmitOrder): void {
    // What waited since an older session was found by the copy: both trees have it.
    this.#pending.release()
    this.#stream.begin(connection.out, connection.fd)
    // No request may have come for long: the first ops would look as if they waited since then.
    this.#stream.now = this.parts.loop.now
    this.#mode = modeAfter(this.#mode, 'live')
    // The first op, whatever applications do: it tells the follower that it is live.
    this.#stream.ops.plain(KIND.FENCE)
    this.#stream.unanswered()
    this.#lastRound = false
    this.#windowAt = this.parts.loop.now
    this.#windowOps = -1
    this.#syncs.repeatRemote((volume, node, token) => {
      if (!this.#stream.concerns(volume, node)) return false
      this.#stream.ops.sync(volume.index, node.id, 0, token)
      this.#stream.unanswered()
      return true
    })
    this.parts.tell({ event: 'copyFinished', epoch: order.epoch })
    this.#replay()
  }

  #becomeLost(epoch: number, cause: string): void {
    const wasLive = this.#mode === 'live'
    this.#windows.giveUp()
    this.#stream.end()
    this.#lastRound = false
    this.#mode = modeAfter(this.#mode, 'lost')
    for (const { failed } of this.#draining.splice(0)) failed(`the link was lost: ${cause}`)
    this.parts.tell({ event: 'linkLost', epoch, cause, wasLive })
    if (this.#mode === 'alone') this.#replay()
  }

  /** What the live follower says. */
  #record(input: InBuffer): string | undefined {
    const { bytes, at, length } = input
    if (length < HEAD) return 'it is too short'
    const number = bytes.readUInt32LE(at + 4)
    const value = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * 0x1_0000_0000
    switch (bytes[at]) {
      case KIND.PULSE:
        return undefined
      case KIND.READY:
        this.#copy.onReady()
        return undefined
      case KIND.FAILED:
        return `the follower failed: ${bytes.toString('utf8', at + HEAD + 2, at + length)}`
      default:
    }
    if (this.#mode !== 'live') return 'it came before the follower was live'
    switch (bytes[at]) {
      case KIND.APPLIED:
        return this.#pending.acknowledge(value) ? undefined : 'it acknowledges what was not sent'
      case KIND.SYNCED:
        this.#syncs.remoteDone(number)
        return undefined
      case KIND.WINDOW_SYNCED:
        this.#windows.remoteSynced(this.#stream.ops, value)
        return undefined
      default:
        return `its kind is ${bytes[at] ?? -1}`
    }
  }

  #checkDrained(): void {
    const busy =
      this.#pending.count > 0 || this.#syncs.count > 0 || this.#parked.count > 0 || this.#lastRound
    if (busy) return
    for (const { done } of this.#draining.splice(0)) done()
  }

  #mountEnded(volume: Volume, cause: string | undefined): void {
    this.#leave(volume)
    if (this.#leaving) return
    const why = cause === undefined ? 'it was unmounted' : cause
    this.parts.tell({
      event: 'dataFailed',
      cause: `the mount of ${volume.directory} ended: ${why}`,
    })
  }

  /** No request of this mount is read any more. */
  #leave(volume: Volume): void {
    const session = this.#sessions.find((one) => one.volume === volume)
    if (session === undefined) return
    this.parts.loop.remove(session)
    this.#sessions.splice(this.#sessions.indexOf(session), 1)
  }

  /** Ends the connection to the kernel: whoever still holds a file gets errors. */
  #abort(volume: Volume): void {
    this.#leave(volume)
    if (volume.fuse < 0) return
    close(volume.fuse)
    volume.fuse = -1
  }
}
