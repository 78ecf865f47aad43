/**
 * `syncat`: the secondary follows from time to time instead of always. Between two synchronisations its resource
 * `rfs.syncat` is down, and the rule that comes with it makes the node WAIT; at the time of the schedule it is up, the node
 * becomes SECOND, copies what changed meanwhile, and waits again. The rule is an ordinary one, so that it lives in peace with
 * all others that make a node wait.
 */
import {
  type Cancel,
  type Checker,
  type Clock,
  done,
  HoldfastError,
  isServing,
  type ReplicaEvent,
  type Resource,
  type Role,
  type Store,
  type Verdict,
} from '@holdfast/sdk'
import { objectOf } from '../driver/object.js'

const keptName = 'syncat'
/** Whoever watches wants to hear of a checker now and then. */
const reportPeriodMs = 10_000

type Report = Parameters<Checker['start']>[0]

export interface SyncatParts {
  readonly clock: Clock
  readonly store: Store
  /** A cron expression. */
  readonly schedule: string
}

export class Syncat implements Resource, Checker {
  readonly id = 'rfs-syncat'
  /** After the data, before the address. */
  readonly order = 101
  readonly when = 'pre'
  readonly rule = { label: 'rfs_syncat_wait', action: 'wait', routine: true } as const
  private role: Role = 'stop'
  /** When the secondary was made equal; undefined: it follows, or is to. */
  private syncedMs: number | undefined
  private report: Report | undefined
  private cancels: readonly Cancel[] = []

  constructor(private readonly parts: SyncatParts) {}

  /** Throws HoldfastError when the expression is malformed. */
  begin(): Cancel {
    return this.parts.clock.cron(this.parts.schedule, () => {
      void this.follow()
    })
  }

  /** What an operator is told. */
  get line(): string {
    const { syncedMs } = this
    return syncedMs === undefined
      ? `syncat="${this.parts.schedule}": follows until it is equal`
      : `syncat="${this.parts.schedule}": has the data of ${new Date(syncedMs).toISOString()}`
  }

  /** Throws HoldfastError where there is nothing to synchronise. */
  async now(): Promise<void> {
    if (this.syncedMs === undefined) {
      throw new HoldfastError(
        'E_RFS_SYNCAT',
        `there is nothing to begin: the role is ${this.role}`,
        {
          hint: 'synchronise on the node that waits for the next time of its schedule',
        },
      )
    }
    await this.follow()
  }

  /** Hears what the topology is told: the copy is done. */
  heard(event: ReplicaEvent): void {
    if (event.kind === 'copyFinished' && this.role === 'second') void this.rest()
  }

  // Resource: which role this node has

  enter({ to }: { readonly to: Role }): Promise<Verdict> {
    return this.become(to)
  }

  leave(): Promise<Verdict> {
    return Promise.resolve(done)
  }

  async adopt(role: Role): Promise<Verdict> {
    const kept = objectOf(await this.parts.store.read(keptName))
    const syncedMs = kept?.['syncedMs']
    if (typeof syncedMs === 'number') this.syncedMs = syncedMs
    return this.become(role)
  }

  // Checker

  start(report: Report): Promise<Verdict> {
    this.report = report
    this.cancels = [this.parts.clock.every(reportPeriodMs, () => this.tell())]
    this.tell()
    return Promise.resolve(done)
  }

  stop(): Promise<void> {
    this.report = undefined
    for (const cancel of this.cancels) cancel()
    this.cancels = []
    return Promise.resolve()
  }

  /** A node that serves waits for nothing, and one that is started by an operator begins with a synchronisation. */
  private async become(role: Role): Promise<Verdict> {
    this.role = role
    if (isServing(role) || role === 'stop') await this.follow()
    return done
  }

  private async rest(): Promise<void> {
    this.syncedMs = this.parts.clock.wallMs()
    await this.parts.store.write(keptName, { format: 1, syncedMs: this.syncedMs })
    this.tell()
  }

  private async follow(): Promise<void> {
    if (this.syncedMs === undefined) return
    this.syncedMs = undefined
    await this.parts.store.remove(keptName)
    this.tell()
  }

  private tell(): void {
    const { syncedMs } = this
    if (syncedMs === undefined) this.report?.('up', 'it follows, or is about to')
    else {
      const when = new Date(syncedMs).toISOString()
      this.report?.('down', `synchronised at ${when}, waits for the next time`)
    }
  }
}
