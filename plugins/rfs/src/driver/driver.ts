/**
 * The replicated data of one module on this node: turns the topology's orders into orders to the data plane,
 * and what the data plane tells into events. It decides nothing about roles.
 */
import {
  type Cancel,
  type Clock,
  done,
  type Exec,
  HoldfastError,
  isServing,
  type Log,
  type ModuleContext,
  type Peers,
  type Progress,
  refused,
  type Replica,
  type ReplicaEvent,
  type Resource,
  type Role,
  type Store,
  type Transition,
  type Verdict,
} from '@holdfast/sdk'
import { findHolders } from './holders.js'
import { areServed, examine, unmountLeftovers } from './mounts.js'
import { Plane, pause } from './plane.js'
import { signalProcess } from './process.js'
import { type PlaneEvent, portOf } from './protocol.js'
import { release } from './release.js'
import {
  askSession,
  isSessionQuestion,
  newSession,
  resolveAddress,
  type Session,
} from './sessions.js'
import { launchOf, type RfsConfig } from './settings.js'
import type { Answer } from './socket.js'

export interface DriverParts {
  readonly clock: Clock
  readonly exec: Exec
  readonly log: Log
  readonly module: ModuleContext
  readonly peers: Peers
  readonly store: Store
  readonly config: RfsConfig
  /** The data plane's program. */
  readonly entry: string
}

/** Mounting reads a journal of up to a million keys first. */
const serveWaitMs = 120_000
/** Ends with syncfs: as long as the disk needs for what is still in memory. */
const unserveWaitMs = 300_000
const orderWaitMs = 15_000
/** How long a follower that asks a little too early is kept waiting for the admission. */
const admissionWaitMs = 5_000

interface Admission {
  readonly epoch: number
  readonly full: boolean
  readonly session: Session
  readonly taken: boolean
}

export class RfsDriver implements Replica, Resource {
  readonly id = 'rfs'
  readonly order = 100
  private readonly plane: Plane
  private readonly watchers = new Set<(event: ReplicaEvent) => void>()
  private readonly directories: readonly string[]
  private role: 'idle' | 'serving' | 'following' = 'idle'
  private epoch = 0
  private isLinked = false
  private admission: Admission | undefined
  private lastProgress: Progress | undefined

  constructor(private readonly parts: DriverParts) {
    const { clock, log, store, module, entry, config } = parts
    this.directories = config.rfs.replicated.map(({ dir }) => dir)
    this.plane = new Plane({
      clock,
      log,
      store: store.volatile,
      launch: () => launchOf(config, module, parts.peers.address(module.node, this.flow())),
      entry,
      directories: module.directories,
      onEvent: (event) => {
        this.heard(event)
      },
      onDeath: (cause) => {
        this.died(cause)
      },
    })
  }

  // Resource

  async enter(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    if (isServing(transition.to)) return this.serve(transition, signal)
    if (transition.to === 'stop') return this.plane.end()
    return done
  }

  async leave(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    const { from, to } = transition
    if (isServing(from) && !isServing(to)) return this.unserve(transition, signal)
    if (from === 'second' && to !== 'second') return this.unfollow()
    return done
  }

  async adopt(role: Role, generation: string): Promise<Verdict> {
    const found = await this.plane.attach()
    const status = found ? await this.plane.status() : undefined
    if (isServing(role)) {
      if (status?.role !== 'serving' || !(await areServed(this.directories))) {
        return refused(
          'E_RFS_NOT_SERVING',
          'the data plane does not serve the directories any more',
        )
      }
      if (status.generation !== generation) {
        // The daemon ended between writing a new generation and `detach`: the topology gives that order again.
        const fields = { ours: generation, dataPlane: status.generation }
        this.parts.log.write('warning', 'generationDiffers', fields)
      }
    } else if (role === 'second') {
      if (status?.role !== 'following') {
        return refused('E_RFS_NOT_FOLLOWING', 'the data plane does not follow the primary any more')
      }
    } else return this.clear()
    this.role = status.role
    this.epoch = status.epoch
    this.lastProgress = status.progress
    this.isLinked = status.link === 'live' || status.link === 'copying'
    this.parts.log.write('event', 'dataPlaneAdopted', { role: status.role, link: status.link })
    if (status.link === 'live') this.tell({ kind: 'copyFinished', epoch: status.epoch })
    if (status.link === 'held' || (status.link === 'none' && role === 'second')) {
      this.tell({ kind: 'linkLost', epoch: status.epoch, cause: 'lost while the daemon was down' })
    }
    return done
  }

  // Replica

  async admit(order: { readonly epoch: number; readonly full: boolean }): Promise<Verdict> {
    this.epoch = order.epoch
    this.isLinked = false
    return this.admitWith(order, false)
  }

  async detach(order: { readonly epoch: number; readonly generation: string }): Promise<Verdict> {
    this.epoch = order.epoch
    this.admission = undefined
    this.isLinked = false
    const { epoch, generation } = order
    return this.say(this.plane.order({ order: 'detach', epoch, generation }, orderWaitMs))
  }

  async follow(order: { readonly epoch: number; readonly full: boolean }): Promise<Verdict> {
    const { epoch, full } = order
    this.epoch = epoch
    this.isLinked = false
    this.lastProgress = undefined
    const node = this.parts.peers.others[0]
    if (node === undefined) return refused('E_RFS_ALONE', 'the module has no other node to follow')
    const ready = await this.ready()
    if (!ready.ok) return ready
    const address = await resolveAddress(this.parts.peers.address(node, this.flow()), node)
    if (typeof address !== 'string') return address
    const offer = await askSession(this.parts.peers, node, epoch)
    if ('ok' in offer) return offer
    if (this.epoch !== epoch) return refused('E_RFS_SUPERSEDED', 'a newer order came meanwhile')
    const verdict = await this.say(
      this.plane.order({ order: 'follow', epoch, full, address, ...offer }, orderWaitMs),
    )
    if (verdict.ok) this.role = 'following'
    return verdict
  }

  async unfollow(): Promise<Verdict> {
    this.isLinked = false
    this.lastProgress = undefined
    // A data plane that died applies nothing any more: all that it acknowledged was applied before.
    const status = (await this.plane.attach()) ? await this.plane.status() : undefined
    let verdict: Verdict = done
    if (status?.role === 'following') {
      verdict = await this.say(this.plane.order({ order: 'unfollow' }, unserveWaitMs))
    } else if (status === undefined) verdict = await this.sweep(true)
    if (verdict.ok) this.role = 'idle'
    return verdict
  }

  linked(): boolean {
    return this.isLinked
  }

  progress(): Progress | undefined {
    return this.lastProgress
  }

  watch(on: (event: ReplicaEvent) => void): Cancel {
    this.watchers.add(on)
    return () => {
      this.watchers.delete(on)
    }
  }

  /** The follower's plugin asks for the session of the present admission. */
  async answer(node: string, message: unknown): Promise<Session> {
    if (!isSessionQuestion(message)) {
      throw new HoldfastError(
        'E_RFS_PROTOCOL',
        `${this.parts.module.node} does not understand this`,
      )
    }
    const deadline = this.parts.clock.monotonicMs() + admissionWaitMs
    while (this.admission === undefined && this.parts.clock.monotonicMs() < deadline) {
      await pause(this.parts.clock, 20)
    }
    // Handed out before: the follower lost it. A session is never used twice.
    if (this.admission?.taken === true) await this.admitWith(this.admission, false)
    if (this.admission === undefined) {
      throw new HoldfastError('E_RFS_NOT_ADMITTED', `${node} is not admitted as a follower`)
    }
    this.admission = { ...this.admission, taken: true }
    return this.admission.session
  }

  /** The daemon stops: everything goes on without it. */
  disconnect(): void {
    this.plane.release()
  }

  private async admitWith(
    { epoch, full }: { readonly epoch: number; readonly full: boolean },
    taken: boolean,
  ): Promise<Verdict> {
    const session = newSession(portOf(this.parts.module.id))
    this.admission = undefined
    const { session: id, key } = session
    const verdict = await this.say(
      this.plane.order({ order: 'admit', epoch, full, session: id, key }, orderWaitMs),
    )
    if (verdict.ok && this.epoch === epoch) this.admission = { epoch, full, session, taken }
    return verdict
  }

  private async serve(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    const { to, generation } = transition
    const status = await this.plane.status()
    if (status?.role === 'serving') {
      this.role = 'serving'
      return done
    }
    const ready = await this.ready()
    if (!ready.ok) return ready
    if (signal.aborted) return refused('E_RFS_ABORTED', 'serving was given up before it began')
    const order = { order: 'serve', generation, alone: to === 'alone' } as const
    const verdict = await this.say(this.plane.order(order, serveWaitMs))
    if (verdict.ok) this.role = 'serving'
    return verdict
  }

  /** The directories are as configured, nothing is left over, and an idle data plane runs. */
  private async ready(): Promise<Verdict> {
    const clean = (await this.plane.attach()) ? done : await this.sweep(true)
    if (!clean.ok) return clean
    const sound = await examine(this.parts.config)
    return sound.ok ? this.plane.ensure() : sound
  }

  private async unserve({ action }: Transition, signal: AbortSignal): Promise<Verdict> {
    const drained = await this.drain()
    // A swap promises the peer everything: without that it does not happen, and the mount stays.
    if (!drained.ok && action === 'swap') return drained
    const released = await this.giveUp(signal)
    if (!released.ok) return released
    this.role = 'idle'
    this.admission = undefined
    this.isLinked = false
    this.lastProgress = undefined
    return drained
  }

  /** Done when there is no follower, or when it has everything. */
  private async drain(): Promise<Verdict> {
    const status = await this.plane.status()
    if (status?.role !== 'serving' || (status.link !== 'live' && status.link !== 'held'))
      return done
    const waitMs = this.parts.config.rfs.timeout * 2
    const verdict = await this.say(this.plane.order({ order: 'drain' }, waitMs))
    if (verdict.ok) return done
    return refused('E_RFS_NOT_DRAINED', `the follower does not have everything: ${verdict.reason}`)
  }

  private async giveUp(signal: AbortSignal): Promise<Verdict> {
    const { clock, log } = this.parts
    const pid = this.plane.pid()
    return release(
      {
        clock,
        log,
        unmount: (force) => this.unmount(force),
        holders: () => findHolders(this.directories, pid === undefined ? [] : [pid]),
        signal: signalProcess,
      },
      signal,
    )
  }

  private async unmount(force: boolean): Promise<Verdict> {
    if (await this.plane.attach()) {
      const verdict = await this.say(this.plane.order({ order: 'unserve', force }, unserveWaitMs))
      if (verdict.ok || (verdict.code === 'E_RFS_BUSY' && !force)) return verdict
      // Without the process the kernel answers every write with an error; what it wrote is with the file system.
      this.parts.log.write('critical', 'dataPlaneKilled', { cause: verdict.reason })
    }
    return this.sweep(force)
  }

  /** Ends a data plane that does not answer, and unmounts what it left. */
  private async sweep(lazy: boolean): Promise<Verdict> {
    await this.plane.kill()
    return unmountLeftovers(this.parts.exec, this.directories, lazy)
  }

  /** After a restart of the daemon in a role without data: whatever is still going on is ended. */
  private async clear(): Promise<Verdict> {
    const status = await this.plane.status()
    if (status?.role === 'serving') return this.giveUp(new AbortController().signal)
    if (status?.role === 'following') return this.unfollow()
    return status === undefined ? this.sweep(true) : done
  }

  private heard(event: PlaneEvent): void {
    switch (event.event) {
      case 'log':
        this.parts.log.write(event.level, event.name, event.fields)
        return
      case 'dataFailed':
        this.tell({ kind: 'dataFailed', cause: event.cause })
        return
      case 'progressed':
        if (event.epoch !== this.epoch) return
        this.isLinked = true
        this.lastProgress = event.progress
        this.tell({ kind: 'progressed', progress: event.progress })
        return
      case 'copyFinished':
        if (event.epoch === this.epoch) this.isLinked = true
        this.lastProgress = undefined
        this.tell({ kind: 'copyFinished', epoch: event.epoch })
        return
      case 'linkLost':
        if (event.epoch === this.epoch) this.isLinked = false
        this.lastProgress = undefined
        this.tell({ kind: 'linkLost', epoch: event.epoch, cause: event.cause })
        return
    }
  }

  private died(cause: string): void {
    const { role, epoch } = this
    this.isLinked = false
    this.lastProgress = undefined
    this.admission = undefined
    this.role = 'idle'
    this.parts.log.write(role === 'serving' ? 'critical' : 'warning', 'dataPlaneDied', {
      cause,
      role,
    })
    if (role === 'serving')
      this.tell({ kind: 'dataFailed', cause: `the data plane died: ${cause}` })
    if (role === 'following')
      this.tell({ kind: 'linkLost', epoch, cause: `the data plane died: ${cause}` })
  }

  private tell(event: ReplicaEvent): void {
    for (const watcher of this.watchers) watcher(event)
  }

  private flow(): string | undefined {
    return this.parts.config.rfs.flow?.name
  }

  /** What the data plane answered, without its fields. */
  private async say(answer: Promise<Answer>): Promise<Verdict> {
    const given = await answer
    return given.ok ? done : given
  }
}
