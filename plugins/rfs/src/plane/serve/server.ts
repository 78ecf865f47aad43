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
import { HoldfastError } from '@holdfast/sdk'
import type { Standing } from '../../driver/kept.js'
import type { PlaneLink } from '../../driver/protocol.js'
import { OP } from '../fuse/abi.js'
import type { Inheritance } from '../keeper.js'
import { Reads } from '../fuse/reads.js'
import { Reply } from '../fuse/reply.js'
import { Request } from '../fuse/request.js'
import { E } from '../libc.js'
import type { Connection } from '../link/connection.js'
import { KIND } from '../link/ops.js'
import type { PlaneParts } from '../parts.js'
import type { ResyncEvent } from '../resync-port.js'
import { Rights } from '../rights.js'
import { syncAll } from '../sync.js'
import { Toucher } from '../touch.js'
import { Verification, type VerifyOrder } from '../verification/verification.js'
import type { Volume } from '../volume.js'
import { isChange } from './change-parts.js'
import { Changes } from './changes.js'
import { Copy, type AdmitOrder } from './copy.js'
import { type Fate, fateOf, type Mode, modeAfter } from './decide.js'
import { Mounts } from './mounts.js'
import { Parked } from './parked.js'
import { PENDING_BYTES_MAX, Pending } from './pending.js'
import { Stream } from './stream.js'
import { Succession } from './succession.js'
import { Syncs } from './syncs.js'
import { Told } from './told.js'
import { Windows, WindowTimes } from './windows.js'

const TIMES_MS = 500

export class Server {
  readonly #request: Request
  readonly #reply = new Reply()
  readonly #pending = new Pending()
  readonly #stream = new Stream(this.#pending)
  readonly #parked = new Parked()
  readonly #rights = new Rights()
  readonly #syncs: Syncs
  readonly #changes: Changes
  readonly #reads: Reads
  readonly #mounts: Mounts
  readonly #windows: Windows
  readonly copy: Copy
  readonly #told: Told
  readonly verification: Verification
  readonly #succession: Succession
  #mode: Mode
  /** Of the last follower that was live. */
  #epoch: number
  /** The last round of a copy: changes wait, whatever the mode is. */
  #lastRound = false
  #leaving = false
  #timesAt = 0
  readonly #windowTimes = new WindowTimes()
  #draining: { done: () => void; failed: (cause: string) => void }[] = []

  constructor(
    readonly parts: PlaneParts,
    public generation: string,
    begin: { readonly mode: 'alone' | 'held' | 'refused'; readonly inherited?: Inheritance },
  ) {
    this.#mode = begin.mode
    this.#request = new Request(parts.requestMemory)
    this.#epoch = begin.inherited?.kept.epoch ?? 0
    const { pool, launch, journal } = parts
    const succession = new Succession(parts, begin.inherited)
    this.#succession = succession
    this.#mounts = new Mounts({
      ...parts,
      succession,
      session: {
        request: this.#request,
        reply: this.#reply,
        onRequest: (volume, request) => this.#handle(volume, request),
        onEnded: (volume, cause) => this.#mountEnded(volume, cause),
        mayRead: () => this.#mayRead(),
      },
      onLeft: (volume, node) => {
        succession.release(node)
        this.#stream.forget(volume, node)
      },
    })
    const { volumes } = this.#mounts
    this.#syncs = new Syncs(pool, this.#reply, launch.async === 'none')
    this.#reads = new Reads(this.#reply, pool)
    this.#changes = new Changes({
      reply: this.#reply,
      stream: this.#stream,
      toucher: new Toucher(journal, launch.zoneBytes),
      rights: this.#rights,
      syncs: this.#syncs,
      succession,
      giveUp: (volume, request, cause) => {
        this.#parked.keep(volume, request)
        this.copy.drop(cause)
      },
      diverged: (cause) => this.copy.drop(cause),
    })
    const diskFailed = { cause: 'syncfs failed: the disk may have lost writes' }
    this.#windows = new Windows(journal, volumes, pool, () =>
      parts.log('critical', 'diskFailed', diskFailed),
    )
    this.copy = new Copy(parts, volumes, {
      onLastRound: () => void (this.#lastRound = true),
      onLive: (connection, order) => this.#becomeLive(connection, order),
      onLost: (epoch, cause) => this.#becomeLost(epoch, cause),
      onProgress: (epoch, progress) => parts.tell({ event: 'progressed', epoch, progress }),
      onRecord: (input) => this.#told.record(input, this.#mode === 'live'),
      log: parts.log,
    })
    this.verification = this.#makeVerification()
    this.#told = new Told({
      ...{ copy: this.copy, stream: this.#stream, syncs: this.#syncs },
      ...{ windows: this.#windows, verification: this.verification },
    })
  }

  get link(): PlaneLink {
    if (this.#mode === 'live') return 'live'
    if (this.copy.copying) return 'copying'
    return this.#mode === 'held' ? 'held' : 'none'
  }

  get heardMsAgo(): number | undefined {
    return this.copy.connection?.heardMsAgo
  }

  get counters(): Record<string, number> {
    return {
      opsSent: this.#stream.opsSent,
      opsWaiting: this.#pending.count,
      syncsWaiting: this.#syncs.count,
      held: this.#parked.count,
      nodes: this.#mounts.volumes.reduce((sum, { table }) => sum + table.count, 0),
      descriptors: this.parts.descriptors.count,
      ...this.verification.counters,
    }
  }

  /** Opens, mounts and listens. On failure everything is undone, and the error says why. */
  async start(): Promise<void> {
    const { volumes } = this.#mounts
    try {
      this.copy.listen()
      await this.#mounts.make()
      this.parts.journal.takeCharge()
      // On a kernel that does not give requests again, whoever waits for an answer would wait for ever.
      if (this.#mounts.canResend) await this.#succession.begin(volumes, this.#standing)
    } catch (error) {
      this.copy.stop()
      await this.#mounts.undo()
      throw error
    }
  }

  /** Goes on where another data plane died. Throws when that is not possible: this process is of no use then. */
  async takeOver(inheritance: Inheritance): Promise<void> {
    this.copy.listen()
    this.#mounts.inherit(inheritance)
    await this.#succession.begin(this.#mounts.volumes, this.#standing)
    this.#mounts.takeOver()
    this.parts.journal.takeCharge()
  }

  admit(order: AdmitOrder): void {
    if (this.#mode === 'refused') {
      throw new HoldfastError('E_RFS_REFUSING', 'this node is giving up its role')
    }
    this.copy.admit(order)
  }

  /** Throws HoldfastError when there is nothing to compare with. */
  verify(order: VerifyOrder): void {
    this.verification.start(this.#mounts.volumes, order, this.copy.level)
  }

  /** Alone from now on: the right to it was obtained and persisted by whoever orders this. */
  detach(generation: string): void {
    if (this.#mode === 'refused') return
    this.generation = generation
    this.#mode = modeAfter(this.#mode, 'lost')
    this.copy.drop('this side goes on alone')
    this.#mode = modeAfter(this.#mode, 'detached')
    this.#succession.note(this.#standing)
    this.#pending.release()
    this.#syncs.releaseRemote()
    this.#replay()
  }

  /**
   * The role is given up while changes may wait. A program that waits in a change can't be ended, not even killed; an
   * error lets it go, and promises nothing.
   */
  refuse(): void {
    this.copy.drop('this side gives up its role')
    this.#mode = modeAfter(this.#mode, 'refused')
    this.#succession.note(this.#standing)
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
    this.verification.stop('this node stopped serving')
    this.parts.journal.endCharge()
    try {
      await this.#mounts.unmount(force)
    } catch (error) {
      this.#leaving = false
      throw error
    }
    this.#rights.restore()
    // As long as the keeper has the descriptors, the kernel's connections do not end.
    await this.#succession.end()
    this.copy.stop()
    this.#stream.end()
    this.#parked.clear()
    // A power cut after this end must not take back what the other node has: this one may be the next to serve.
    await syncAll(this.parts, this.#mounts.volumes)
    this.#mounts.close()
  }

  onResync(event: ResyncEvent): void {
    this.copy.onResync(event)
  }

  /** When `tick` is wanted next; in the past: as soon as possible. */
  get due(): number {
    if (this.copy.isBusy || this.verification.isRunning) return 0
    if (this.#mode !== 'live') return Infinity
    const times = this.#stream.owes ? this.#timesAt + TIMES_MS : Infinity
    const link = this.copy.connection?.due(this.#pending.oldestSince) ?? Infinity
    return Math.min(times, this.#windowDue, link)
  }

  tick(): void {
    const { now } = this.parts.loop
    // What an older session left waiting says nothing about the link over which the copy runs.
    this.copy.tick(this.#mode === 'live' ? this.#pending.oldestSince : undefined)
    this.verification.tick()
    if (this.#mode !== 'live') return
    if (now - this.#timesAt >= TIMES_MS) {
      this.#timesAt = now
      this.#stream.payTimes()
    }
    if (now >= this.#windowDue) {
      this.#windowTimes.closed(now, this.#stream.opsSent)
      // The keys of these nodes are dropped with the window: what is still owed must be on the other disk as well.
      while (this.#stream.owes) this.#stream.payTimes()
      this.#windows.close(this.#stream.ops)
    }
  }

  /** After each round of the loop: what was collected goes out. */
  afterRound(): void {
    // More was kept than may be sent at once: it goes on before anything new is read.
    if (this.#parked.count > 0 && this.#fate !== 'kept') this.#replay()
    this.#succession.settle()
    this.copy.connection?.flush()
    this.#mounts.listen(this.#mayRead())
    if (this.#draining.length > 0) this.#checkDrained()
  }

  get #standing(): Standing {
    const mode = this.#mode
    const { generation } = this
    return { generation, epoch: this.#epoch, alone: mode === 'alone', refused: mode === 'refused' }
  }

  #mayRead(): boolean {
    const waiting = this.copy.connection?.out.waiting ?? 0
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

  #makeVerification(): Verification {
    return new Verification({
      ...this.parts,
      ops: () => (this.#mode === 'live' ? this.#stream.ops : undefined),
      settle: (volume, node) => this.#stream.settle(volume, volume.table.inUse(node)),
    })
  }

  get #windowDue(): number {
    return this.#windows.closing ? Infinity : this.#windowTimes.due(this.#stream.opsSent)
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
    this.#epoch = order.epoch
    this.#succession.note(this.#standing)
    // The first op, whatever applications do: it tells the follower that it is live.
    this.#stream.ops.plain(KIND.FENCE)
    this.#stream.unanswered()
    this.#lastRound = false
    this.#windowTimes.begin(this.parts.loop.now)
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
    this.verification.stop(`the link was lost: ${cause}`)
    this.#windows.giveUp()
    this.#stream.end()
    this.#lastRound = false
    this.#mode = modeAfter(this.#mode, 'lost')
    for (const { failed } of this.#draining.splice(0)) failed(`the link was lost: ${cause}`)
    this.parts.tell({ event: 'linkLost', epoch, cause, wasLive })
    if (this.#mode === 'alone') this.#replay()
  }

  #checkDrained(): void {
    const busy =
      this.#pending.count > 0 || this.#syncs.count > 0 || this.#parked.count > 0 || this.#lastRound
    if (busy) return
    for (const { done } of this.#draining.splice(0)) done()
  }

  #mountEnded(volume: Volume, cause: string | undefined): void {
    this.#mounts.leave(volume)
    if (this.#leaving) return
    const why = `the mount of ${volume.directory} ended: ${cause ?? 'it was unmounted'}`
    this.parts.tell({ event: 'dataFailed', cause: why })
  }
}
