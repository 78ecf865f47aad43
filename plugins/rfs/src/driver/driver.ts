/**
 * The replicated data of one module on this node: turns the topology's orders into orders to the data plane,
 * and what the data plane tells into events. It decides nothing about roles.
 */
import {
  type Cancel,
  done,
  isServing,
  type Progress,
  refused,
  type Replica,
  type ReplicaEvent,
  type Resource,
  type Role,
  type Transition,
  type Verdict,
} from '@holdfast/sdk'
import { keptFile } from './kept.js'
import { Invitations } from './invitation.js'
import { areServed, examine } from './mounts.js'
import { Admissions } from './admission.js'
import { Listeners } from './listeners.js'
import { type DriverParts, verdictOf } from './parts.js'
import { Places } from './places.js'
import { Plane } from './plane.js'
import { type PlaneEvent, type PlaneStatus, portOf } from './protocol.js'
import { drain } from './release.js'
import { Renewal } from './renewal.js'
import { Replacement } from './replacement.js'
import { launchOf, socketOf } from './settings.js'
import { objectOf } from './object.js'
import { unserveWaitMs, Withdrawal } from './withdrawal.js'
import { Verifications } from '../verification/verifications.js'

/** Mounting reads a journal of up to a million keys first. */
const serveWaitMs = 120_000
const orderWaitMs = 15_000
/** Of the last `follow`, for a daemon that finds its data plane gone. */
const followedName = 'followed'

export class RfsDriver implements Replica, Resource {
  readonly id = 'rfs'
  readonly order = 100
  readonly admissions: Admissions
  readonly verifications: Verifications
  private readonly plane: Plane
  private readonly listeners: Listeners
  private readonly directories: readonly string[]
  private role: 'idle' | 'serving' | 'following' = 'idle'
  private epoch = 0
  /** Changes with each `follow` and whatever ends following: an order that still asks around is out of date then. */
  private attempt = 0
  private lastProgress: Progress | undefined
  readonly places: Places
  private readonly replacement: Replacement
  private readonly withdrawal: Withdrawal
  private readonly renewal: Renewal
  private readonly invitations: Invitations
  /** What of the data plane is not as usual; undefined: nothing. */
  readonly remark = (): string | undefined => this.invitations.line ?? this.renewal.line
  /** Undefined: no data plane runs. */
  readonly status = (): Promise<PlaneStatus | undefined> => this.plane.status()

  constructor(private readonly parts: DriverParts) {
    const { clock, exec, log, store, module, entry, config, peers } = parts
    this.invitations = new Invitations(parts)
    this.listeners = new Listeners((event) => this.invitations.heard(event), parts.onTold)
    this.directories = config.rfs.replicated.map(({ dir }) => dir)
    this.places = new Places({ store, directories: this.directories })
    this.plane = new Plane({
      ...{ clock, exec, log },
      store: store.volatile,
      launch: () => launchOf(config, module),
      entry,
      directories: module.directories,
      onEvent: (event) => {
        this.heard(event)
      },
      onReconnected: (status) => {
        this.reconnected(status)
      },
      onDeath: (cause) => {
        void this.ended(`the data plane died: ${cause}`, () => this.replacement.run(cause))
      },
    })
    const { plane, directories } = this
    this.withdrawal = new Withdrawal({ clock, exec, log, plane, directories })
    const shared = { clock, log, plane, keptFile: keptFile(socketOf(module)) }
    this.replacement = new Replacement(shared)
    this.renewal = new Renewal({ ...shared, peers, entry, onDue: (cause) => this.renew(cause) })
    this.verifications = new Verifications({
      ...{ clock, log, store, directories: this.directories, status: this.status },
      order: (order, waitMs) => this.plane.order(order, waitMs),
    })
    this.admissions = new Admissions({
      clock,
      node: module.node,
      port: portOf(module.id),
      status: () => this.replacement.status(),
      order: (order) => verdictOf(this.replacement.order(order, orderWaitMs)),
    })
  }

  // Resource

  async enter(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    if (isServing(transition.to)) return this.serve(transition, signal)
    if (transition.to === 'stop') return this.end()
    return done
  }

  async leave(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    const { from, to } = transition
    if (isServing(from) && !isServing(to)) return this.unserve(signal)
    if (from === 'second' && to !== 'second') return this.unfollow()
    return done
  }

  async adopt(role: Role, generation: string): Promise<Verdict> {
    const found = await this.plane.attach()
    const status = found ? await this.plane.status() : undefined
    if (isServing(role)) {
      if (status !== undefined) return this.adoptServing(status, generation)
      const successor = await this.replacement.run('it ended while the daemon was down')
      // It tells the epoch of the last follower that was live: the topology may not have heard that it was.
      const { link, epoch } = successor ?? {}
      const wasLive = link === 'held' && epoch !== undefined
      if (wasLive) this.listeners.tell({ kind: 'copyFinished', epoch })
      return this.adoptServing(successor, generation)
    }
    if (role === 'second') return this.adoptFollowing(status)
    return this.clear(status)
  }

  // Replica

  async admit(order: { readonly epoch: number; readonly full: boolean }): Promise<Verdict> {
    this.epoch = order.epoch
    return this.admissions.admit(order)
  }

  async detach(order: { readonly epoch: number; readonly generation: string }): Promise<Verdict> {
    this.epoch = order.epoch
    this.admissions.withdraw()
    const { epoch, generation } = order
    return verdictOf(this.replacement.order({ order: 'detach', epoch, generation }, orderWaitMs))
  }

  async refuse(): Promise<Verdict> {
    this.admissions.withdraw()
    await this.replacement.settled()
    // No data plane, no mount: then nobody waits either.
    if (!(await this.plane.attach())) return done
    return verdictOf(this.replacement.order({ order: 'refuse' }, orderWaitMs))
  }

  async follow(order: Parameters<Replica['follow']>[0]): Promise<Verdict> {
    const { epoch, full, abandons } = order
    const attempt = ++this.attempt
    this.epoch = epoch
    this.lastProgress = undefined
    await this.parts.store.volatile.write(followedName, { epoch })
    const ready = await this.ready()
    if (!ready.ok) return ready
    const speaks = (await this.plane.status())?.speaks
    const invitation = await this.invitations.ask({ epoch, speaks, abandons })
    if (this.attempt !== attempt) return refused('E_RFS_SUPERSEDED', 'a newer order came meanwhile')
    if ('ok' in invitation) return invitation
    const verdict = await verdictOf(
      this.plane.order({ order: 'follow', epoch, full, ...invitation }, orderWaitMs),
    )
    if (verdict.ok) this.role = 'following'
    return verdict
  }

  async unfollow(): Promise<Verdict> {
    this.attempt++
    this.invitations.forget()
    this.renewal.end()
    this.lastProgress = undefined
    // A data plane that died applies nothing any more: all that it acknowledged was applied before.
    const status = (await this.plane.attach()) ? await this.plane.status() : undefined
    let verdict: Verdict = done
    if (status?.role === 'following') {
      verdict = await verdictOf(this.plane.order({ order: 'unfollow' }, unserveWaitMs))
    } else if (status === undefined) verdict = await this.withdrawal.sweep(true)
    if (verdict.ok) this.role = 'idle'
    return verdict
  }

  async heardMsAgo(): Promise<number | undefined> {
    const status = await this.plane.status()
    return status?.heardMsAgo
  }

  progress(): Progress | undefined {
    return this.lastProgress
  }

  watch(on: (event: ReplicaEvent) => void): Cancel {
    return this.listeners.watch(on)
  }

  /** The daemon stops: everything goes on without it. */
  disconnect(): void {
    this.renewal.end()
    this.plane.release()
  }

  private async adoptServing(
    status: PlaneStatus | undefined,
    generation: string,
  ): Promise<Verdict> {
    if (status?.role !== 'serving' || !(await areServed(this.directories))) {
      return refused('E_RFS_NOT_SERVING', 'the data plane does not serve the directories any more')
    }
    if (status.generation !== generation) {
      // The generation also changes while the data plane serves on: when a copy is finished, and just before `detach`.
      const fields = { ours: generation, dataPlane: status.generation }
      this.parts.log.write('info', 'generationDiffers', fields)
    }
    return this.resume(status)
  }

  /** Not following any more is a lost link, whatever became of the data plane. */
  private async adoptFollowing(status: PlaneStatus | undefined): Promise<Verdict> {
    if (status?.role !== 'following') {
      const followed = objectOf(await this.parts.store.volatile.read(followedName))
      const epoch = typeof followed?.['epoch'] === 'number' ? followed['epoch'] : 0
      this.epoch = epoch
      this.tellLost(epoch, 'the data plane ended while the daemon was down')
      return status === undefined ? this.withdrawal.sweep(true) : done
    }
    return this.resume(status)
  }

  private resume(status: PlaneStatus): Verdict {
    const { role, epoch, link, progress } = status
    this.role = role
    this.epoch = epoch
    this.lastProgress = progress
    this.parts.log.write('event', 'dataPlaneAdopted', { role, link })
    void this.renewal.adopted()
    if (link === 'live') this.tellFinished(epoch)
    // Also with no link at all: the copy or the follower that the topology remembers is gone.
    if (link === 'held' || link === 'none') this.tellLost(epoch, 'lost while the daemon was down')
    return done
  }

  private async serve({ to, generation }: Transition, signal: AbortSignal): Promise<Verdict> {
    this.attempt++
    // Nothing answers while a successor starts, and what it goes on with is no leftover that may be cleared away.
    const status = await this.replacement.status()
    if (status?.role === 'serving') {
      this.role = 'serving'
      return done
    }
    const ready = await this.ready()
    if (!ready.ok) return ready
    if (signal.aborted) return refused('E_RFS_ABORTED', 'serving was given up before it began')
    const order = { order: 'serve', generation, alone: to === 'alone' } as const
    const verdict = await this.places.serve(() => verdictOf(this.plane.order(order, serveWaitMs)))
    if (verdict.ok) this.role = 'serving'
    return verdict
  }

  private async end(): Promise<Verdict> {
    const status = (await this.plane.attach()) ? await this.plane.status() : undefined
    const cleared = await this.clear(status)
    return cleared.ok ? this.plane.end() : cleared
  }

  /** The directories are as configured, nothing is left over, and an idle data plane with the code that is installed runs. */
  private async ready(): Promise<Verdict> {
    this.renewal.end()
    const isFound = await this.plane.attach()
    const clean = isFound ? await this.endOutdated() : await this.withdrawal.sweep(true)
    if (!clean.ok) return clean
    const sound = await examine(this.parts.config)
    return sound.ok ? this.plane.ensure() : sound
  }

  /** One that runs other code and does not serve is ended: another one is started for the next role. */
  private async endOutdated(): Promise<Verdict> {
    const status = await this.plane.status()
    if (status === undefined || !(await this.renewal.isDue(status))) return done
    const order = { order: 'unfollow' } as const
    const ended = await verdictOf(this.plane.order(order, unserveWaitMs))
    return ended.ok ? this.plane.end() : ended
  }

  private async unserve(signal: AbortSignal): Promise<Verdict> {
    this.renewal.end()
    await this.replacement.settled()
    await drain(this.plane, this.parts.log, this.parts.config.rfs.timeout)
    const verdict = await this.withdrawal.giveUp(signal)
    if (!verdict.ok) return verdict
    this.role = 'idle'
    this.admissions.withdraw()
    this.lastProgress = undefined
    return done
  }

  /** In a role without data: whatever is still going on is ended. */
  private async clear(status: PlaneStatus | undefined): Promise<Verdict> {
    if (status?.role === 'serving') return this.withdrawal.giveUp(new AbortController().signal)
    if (status?.role === 'following') return this.unfollow()
    return status === undefined ? this.withdrawal.sweep(true) : done
  }

  private heard(event: PlaneEvent): void {
    switch (event.event) {
      case 'log':
        this.parts.log.write(event.level, event.name, event.fields)
        return
      case 'verified':
        void this.verifications.ended(event.report)
        return
      case 'dataFailed':
        this.listeners.tell({ kind: 'dataFailed', cause: event.cause })
        return
      case 'progressed':
        if (event.epoch !== this.epoch) return
        this.lastProgress = event.progress
        this.listeners.tell({ kind: 'progressed', progress: event.progress })
        return
      case 'copyFinished':
        this.lastProgress = undefined
        this.tellFinished(event.epoch)
        return
      case 'linkLost':
        this.lastProgress = undefined
        this.tellLost(event.epoch, event.cause)
        return
    }
  }

  /** Tells anew what may have been missed. A link that is not there yet is not told as lost: a follower may be on its way. */
  private reconnected({ role, epoch, link }: PlaneStatus): void {
    if (link === 'live') this.tellFinished(epoch)
    const isLost = role === 'following' ? link === 'none' : link === 'held'
    if (isLost) this.tellLost(epoch, 'lost while the connection to the data plane was interrupted')
  }

  /** The data plane has other code than the one that is installed, and may be replaced at this moment. */
  private renew(cause: string): void {
    if (this.role === 'serving') {
      void this.ended(`the data plane was replaced: ${cause}`, () => this.replacement.renew(cause))
    }
    // The topology lets this node in again, and what is idle then gives its place to another one.
    if (this.role === 'following') this.tellLost(this.epoch, `follows anew: ${cause}`)
  }

  /** `successor`: another one that goes on in its place; undefined: there is none. */
  private async ended(
    cause: string,
    successor: () => Promise<PlaneStatus | undefined>,
  ): Promise<void> {
    this.renewal.end()
    void this.verifications.lost(cause)
    if (this.role === 'serving') {
      const status = await successor()
      if (status !== undefined) {
        this.replaced(status, cause)
        return
      }
    }
    const { role, epoch } = this
    this.lastProgress = undefined
    this.admissions.withdraw()
    this.role = 'idle'
    const level = role === 'serving' ? 'critical' : 'warning'
    this.parts.log.write(level, 'dataPlaneDied', { cause, role })
    if (role === 'serving') this.listeners.tell({ kind: 'dataFailed', cause })
    if (role === 'following') this.tellLost(epoch, cause)
  }

  /** Another data plane serves: the application only waited. Its follower is lost, or the copy to one. */
  private replaced({ link, epoch }: PlaneStatus, cause: string): void {
    this.admissions.withdraw()
    this.lastProgress = undefined
    // The last thing that the former one did may have been to let a follower be current: that comes first.
    if (link === 'held') this.listeners.tell({ kind: 'copyFinished', epoch })
    this.tellLost(link === 'held' ? epoch : this.epoch, cause)
  }

  /** What this node follows with is equal to the other node's, whatever was there before. */
  private tellFinished(epoch: number): void {
    const onFailed = (cause: string): void => this.listeners.tell({ kind: 'dataFailed', cause })
    if (this.role === 'following') void this.places.takeUnasked(onFailed)
    this.listeners.tell({ kind: 'copyFinished', epoch })
  }

  private tellLost(epoch: number, cause: string): void {
    this.listeners.tell({ kind: 'linkLost', epoch, cause })
  }
}
