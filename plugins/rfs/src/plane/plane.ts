/** The data plane's role, as the plugin orders it: idle, serving or following. Everything else is done by those two. */
import { HoldfastError, assertNever, messageOf } from '@holdfast/sdk'
import type { PlaneCode, PlaneEvent, PlaneOrder, PlaneStatus } from '../driver/protocol.js'
import { Charge } from './follow/charge.js'
import { Follower } from './follow/follower.js'
import { inherit } from './keeper.js'
import type { AdmitOrder } from './serve/copy.js'
import { Server } from './serve/server.js'
import type { PlaneParts } from './parts.js'
import { PROTOCOL } from './resync/messages.js'
import type { Journal } from './resync-port.js'

/** What outlives a role. */
export interface PlaneOptions extends Omit<PlaneParts, 'journal'> {
  /** What this process runs. */
  readonly code: PlaneCode | undefined
  readonly openJournal: (opening?: { readonly isCovered: boolean }) => Journal
}

type Role =
  | { readonly kind: 'idle' }
  | { readonly kind: 'serving'; readonly server: Server; readonly journal: Journal }
  | { readonly kind: 'following'; readonly follower: Follower; readonly charge: Charge }

export class Plane {
  #role: Role = { kind: 'idle' }
  #epoch = 0
  #tickedAt = 0
  /** An order that changes the role is under way: the next one waits for it to end. */
  #changing = false

  constructor(
    readonly options: PlaneOptions,
    readonly onExit: () => void,
  ) {}

  get status(): PlaneStatus {
    const role = this.#role
    const progress =
      role.kind === 'serving'
        ? role.server.copy.progress
        : role.kind === 'following'
          ? role.follower.progress
          : undefined
    const active =
      role.kind === 'serving' ? role.server : role.kind === 'following' ? role.follower : undefined
    return {
      pid: process.pid,
      code: this.options.code,
      speaks: PROTOCOL,
      role: role.kind,
      generation: role.kind === 'serving' ? role.server.generation : undefined,
      epoch: this.#epoch,
      link: active?.link ?? 'none',
      heardMsAgo: active?.heardMsAgo,
      progress,
      counters: active?.counters ?? {},
    }
  }

  /** Throws HoldfastError when the order can't be carried out. */
  async obey(order: PlaneOrder): Promise<object> {
    switch (order.order) {
      case 'status':
        return { ...this.status }
      case 'serve':
        return this.#change(() => this.#serve(order.generation, order.alone))
      case 'resume':
        return this.#change(() => this.#resume())
      case 'admit':
        this.#serving('admit').admit(admissionOf(order))
        this.#epoch = order.epoch
        return {}
      case 'detach':
        this.#serving('detach').detach(order.generation)
        this.#epoch = order.epoch
        return {}
      case 'drain':
        await this.#serving('drain').drain()
        return {}
      case 'refuse':
        this.#serving('refuse').refuse()
        return {}
      case 'verify': {
        const { volume, path, repair } = order
        this.#serving('verify').verify({ volume, path, repair })
        return {}
      }
      case 'endVerify':
        this.#serving('endVerify').verification.stop('it was told to stop')
        return {}
      case 'unserve':
        return this.#change(() => this.#unserve(order.force))
      case 'follow':
        return this.#change(() => this.#follow(order))
      case 'unfollow':
        return this.#change(() => this.#unfollow())
      case 'exit':
        if (this.#role.kind !== 'idle' || this.#changing) throw wrongRole('exit', this.#role.kind)
        this.onExit()
        return {}
      default:
        return assertNever(order)
    }
  }

  /** When `tick` must be called next. Nothing is so urgent that it is called more often than ten times in a time-out or a second. */
  get due(): number {
    const role = this.#role
    if (role.kind === 'idle') return Infinity
    const due = role.kind === 'serving' ? role.server.due : role.follower.due
    const { timeoutMs } = this.options.launch
    return Math.max(due, this.#tickedAt + Math.max(10, Math.min(100, timeoutMs / 10)))
  }

  tick(): void {
    this.#tickedAt = this.options.loop.now
    const role = this.#role
    if (role.kind === 'serving') role.server.tick()
    else if (role.kind === 'following') role.follower.tick()
  }

  afterRound(): void {
    const role = this.#role
    if (role.kind === 'serving') role.server.afterRound()
    else if (role.kind === 'following') role.follower.afterRound()
  }

  /** The resynchronisation's worker has told something. */
  takeResync(): void {
    const { resync } = this.options
    for (let event = resync.take(); event !== undefined; event = resync.take()) {
      const role = this.#role
      if (role.kind === 'serving') role.server.onResync(event)
      else if (role.kind === 'following') role.follower.onResync(event)
    }
  }

  async #change(work: () => Promise<void>): Promise<object> {
    if (this.#changing) {
      throw new HoldfastError('E_RFS_CHANGING', 'another order is changing the role', {
        hint: 'Wait for its answer.',
      })
    }
    this.#changing = true
    try {
      await work()
      return {}
    } finally {
      this.#changing = false
    }
  }

  async #serve(generation: string, alone: boolean): Promise<void> {
    if (this.#role.kind !== 'idle') throw wrongRole('serve', this.#role.kind)
    const journal = this.options.openJournal()
    const mode = alone ? 'alone' : 'held'
    const server = new Server(this.#parts(journal), generation, { mode })
    // Before it is started: mounting needs the loop's attention for the new mount.
    this.#role = { kind: 'serving', server, journal }
    try {
      await server.start()
    } catch (error) {
      this.#role = { kind: 'idle' }
      journal.closeClean()
      throw error
    }
  }

  /** Goes on where a data plane died while it served. When this fails the process is of no use any more. */
  async #resume(): Promise<void> {
    if (this.#role.kind !== 'idle') throw wrongRole('resume', this.#role.kind)
    const inherited = await inherit(this.options.launch.socket)
    if (inherited === undefined) {
      throw new HoldfastError('E_RFS_NOTHING_KEPT', 'no data plane left its mounts')
    }
    const { generation, epoch, alone, refused } = inherited.kept
    const mode = refused ? 'refused' : alone ? 'alone' : 'held'
    const journal = this.options.openJournal({ isCovered: true })
    const server = new Server(this.#parts(journal), generation, { mode, inherited })
    this.#epoch = epoch
    this.#role = { kind: 'serving', server, journal }
    await server.takeOver(inherited)
  }

  async #unserve(force: boolean): Promise<void> {
    const role = this.#role
    if (role.kind === 'idle') return
    if (role.kind !== 'serving') throw wrongRole('unserve', role.kind)
    await role.server.stop(force)
    this.#role = { kind: 'idle' }
    role.journal.closeClean()
  }

  async #follow(order: Extract<PlaneOrder, { order: 'follow' }>): Promise<void> {
    const { epoch, address, port, aside } = order
    const session = { ...admissionOf(order), address, port, aside }
    const charge = await this.#chargeToFollow()
    this.#epoch = epoch
    const follower = new Follower(charge, session)
    this.#role = { kind: 'following', follower, charge }
    await charge.cover()
    follower.start()
  }

  /** That of the session before, if there was one: nobody else could change the directories meanwhile. */
  async #chargeToFollow(): Promise<Charge> {
    const role = this.#role
    if (role.kind === 'following') {
      await role.follower.stop()
      await role.charge.renew()
      return role.charge
    }
    if (role.kind !== 'idle') throw wrongRole('follow', role.kind)
    const journal = this.options.openJournal()
    try {
      return new Charge(this.#parts(journal))
    } catch (error) {
      journal.closeClean()
      throw error
    }
  }

  async #unfollow(): Promise<void> {
    const role = this.#role
    if (role.kind === 'idle') return
    if (role.kind !== 'following') throw wrongRole('unfollow', role.kind)
    await role.follower.stop()
    await role.charge.end()
    this.#role = { kind: 'idle' }
  }

  #parts(journal: Journal): PlaneParts {
    return { ...this.options, journal }
  }

  #serving(order: string): Server {
    if (this.#role.kind !== 'serving') throw wrongRole(order, this.#role.kind)
    return this.#role.server
  }
}

/** The line that answers an order that failed. */
export function failureOf(error: unknown): { code: string; reason: string; hint?: string } {
  if (!(error instanceof HoldfastError)) {
    return { code: 'E_RFS_INTERNAL', reason: messageOf(error) }
  }
  const failure = { code: error.code, reason: error.message }
  return error.hint === undefined ? failure : { ...failure, hint: error.hint }
}

/** An event as a line of the control socket. */
export function lineOf(event: PlaneEvent): Readonly<Record<string, unknown>> {
  return { ...event }
}

function admissionOf(order: {
  readonly epoch: number
  readonly full: boolean
  readonly session: string
  readonly key: string
}): AdmitOrder {
  const { epoch, full } = order
  return { epoch, full, session: bytesOf(order.session, 16), key: bytesOf(order.key, 32) }
}

function bytesOf(text: string, length: number): Buffer {
  const bytes = Buffer.from(text, 'hex')
  if (bytes.length === length) return bytes
  throw new HoldfastError('E_RFS_SESSION', 'a session is 16 and its key 32 bytes, in hexadecimal')
}

function wrongRole(order: string, role: string): HoldfastError {
  return new HoldfastError('E_RFS_ROLE', `the order "${order}" does not fit: this side is ${role}`)
}
