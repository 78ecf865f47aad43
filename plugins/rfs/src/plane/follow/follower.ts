/** The following side, for one session: dials, becomes identical through the resynchronisation, then applies what the server sends. */
import { randomBytes } from 'node:crypto'
import type { Progress } from '@holdfast/sdk'
import type { PlaneLink } from '../../driver/protocol.js'
import { errnoName } from '../libc.js'
import { Connection } from '../link/connection.js'
import { DiallerGreeting, type Greeted } from '../link/greeting.js'
import { LINK_KIND } from '../link/handshake.js'
import { HEAD, KIND, LEVEL } from '../link/ops.js'
import type { InBuffer } from '../link/records.js'
import { dialTcp } from '../link/sockets.js'
import { baseUnder, marksOf, resyncVolumes, standingUnder, type Marks } from '../marks.js'
import type { PlaneParts } from '../parts.js'
import { ProgressMeter, searchedFields } from '../progress.js'
import type { ResyncEvent } from '../resync-port.js'
import { TreeError } from '../resync/tree.js'
import { Answerer } from '../verification/answerer.js'
import type { Volume } from '../volume.js'
import { ApplyFailure, Applier } from './applier.js'
import type { Charge } from './charge.js'
import { mustDistrust, opMeans } from './decide.js'
import { MalformedRecord } from './record.js'

export interface FollowOrder {
  /** Where files are kept before they are overwritten. */
  readonly aside: string | undefined
  readonly epoch: number
  readonly full: boolean
  readonly address: string
  readonly port: number
  readonly session: Buffer
  readonly key: Buffer
}

export class Follower {
  readonly parts: PlaneParts
  readonly #volumes: readonly Volume[]
  readonly #run: number
  readonly #meter: ProgressMeter
  #greeting: DiallerGreeting | undefined
  #connection: Connection | undefined
  #applier: Applier | undefined
  #answerer: Answerer | undefined
  #acknowledged = 0
  #copying = false
  #equal = false
  #live = false
  #over = false
  progress: Progress | undefined
  #threadEnded: () => void = () => undefined
  /** The copy's thread no longer touches the trees. */
  #thread: Promise<void> = Promise.resolve()

  constructor(
    charge: Charge,
    readonly order: FollowOrder,
  ) {
    this.parts = charge.parts
    this.#volumes = charge.volumes
    // Numbers of runs only have to differ from one follower of this process to the next.
    this.#run = randomBytes(4).readUInt32LE(0)
    this.#meter = new ProgressMeter(this.parts.loop.now)
  }

  /** Dials. */
  start(): void {
    this.#dial(LINK_KIND.OPS)
  }

  get link(): PlaneLink {
    if (this.#live) return 'live'
    return this.#over || this.#connection === undefined ? 'none' : 'copying'
  }

  get heardMsAgo(): number | undefined {
    return this.#connection?.heardMsAgo
  }

  get #marks(): Marks {
    const roots = this.#volumes.map(({ root }) => root)
    return marksOf(this.parts.launch.volumes, roots)
  }

  get counters(): Record<string, number> {
    return {
      opsApplied: this.#applier?.applied ?? 0,
      nodes: this.#volumes.reduce((sum, { table }) => sum + table.count, 0),
      descriptors: this.parts.descriptors.count,
    }
  }

  /** When `tick` is wanted next; in the past: as soon as possible. */
  get due(): number {
    return this.#greeting === undefined ? (this.#connection?.due(undefined) ?? Infinity) : 0
  }

  tick(): void {
    this.#greeting?.tick()
    this.#connection?.tick(undefined)
  }

  afterRound(): void {
    this.#acknowledge()
    this.#connection?.flush()
  }

  onResync(event: ResyncEvent): void {
    if (event.run !== this.#run) return
    if (event.kind === 'failed' || (event.kind === 'roundDone' && event.last)) this.#threadEnded()
    if (this.#over) return
    const { journal, resync, tell, log } = this.parts
    switch (event.kind) {
      case 'searched':
        log('info', 'changesSearched', searchedFields(event))
        // Of what is half copied only the journal tells: its time is then that of the copy.
        journal.touchAll(event.found)
        return
      case 'scoped':
        log('info', 'copyScoped', { scope: event.scope, why: event.why })
        if (mustDistrust(event.scope)) journal.distrust('a copy of everything was not finished')
        resync.order({ kind: 'proceed', run: this.#run })
        return
      case 'setAside':
        log('critical', 'divergedSetAside', asideFields(event, this.order.aside))
        return
      case 'progressed':
        this.progress = this.#meter.of(event.progress, this.parts.loop.now)
        tell({ event: 'progressed', epoch: this.order.epoch, progress: this.progress })
        return
      case 'roundDone':
        if (event.last) this.#becomeEqual()
        return
      case 'failed':
        this.#copying = false
        // Said over this link too: the copy's own farewell may come later than the end of the link.
        this.#fail(`the copy ended: ${event.reason}`)
    }
  }

  /** Ends the session. Resolves when everything that was received is applied, and nothing of it works on the trees any more. */
  async stop(): Promise<void> {
    if (this.#live && !this.#over) this.#connection?.receive()
    this.#end()
    await this.#thread
  }

  #dial(kind: number): void {
    const { loop, launch } = this.parts
    const { address, port } = this.order
    const fd = dialTcp(address, port)
    if (fd < 0) {
      this.#lost(`can't dial ${address} port ${port}: ${errnoName(fd)}`)
      return
    }
    this.#greeting = new DiallerGreeting(
      loop,
      fd,
      launch.timeoutMs,
      kind,
      this.order,
      launch.encryption,
      {
        onDone: (greeted) => this.#greeted(greeted),
        onFailed: (cause) => this.#lost(`can't reach ${address} port ${port}: ${cause}`),
      },
    )
  }

  #greeted(greeted: Greeted): void {
    this.#greeting = undefined
    if (greeted.kind === LINK_KIND.OPS) {
      this.#open(greeted)
      this.#dial(LINK_KIND.RESYNC)
      return
    }
    const { journal, resync, launch } = this.parts
    this.#copying = true
    this.#thread = new Promise((resolve) => {
      this.#threadEnded = resolve
    })
    resync.order({
      kind: 'target',
      run: this.#run,
      socket: greeted.fd,
      keys: greeted.keys,
      volumes: resyncVolumes(launch, this.#volumes),
      zoneBytes: launch.zoneBytes,
      standing: standingUnder(journal.standing, this.#marks),
      journal: journal.snapshot(),
      gaps: journal.gaps,
      timeoutMs: launch.timeoutMs,
      aside: this.order.aside,
    })
  }

  #open(greeted: Greeted): void {
    const { loop, launch } = this.parts
    const connection = new Connection(loop, greeted.fd, greeted.keys, launch.timeoutMs, {
      onRecord: (input) => this.#record(input),
      onDrained: () => {
        this.#acknowledge()
        connection.flush()
      },
      onLost: (cause) => this.#lost(cause),
    })
    this.#connection = connection
    this.#applier = new Applier(this.parts, this.#volumes, connection.ops, (reason) =>
      this.#fail(reason),
    )
    this.#answerer = new Answerer(this.parts, this.#volumes, connection.ops)
  }

  #record(input: InBuffer): string | undefined {
    const applier = this.#applier
    if (applier === undefined) return undefined
    const kind = input.bytes[input.at]
    if (kind !== KIND.PULSE) {
      const means = opMeans({ equal: this.#equal, live: this.#live })
      if (means === 'tooEarly') return `an op came before the copy was done (${kind ?? -1})`
      if (means === 'becomesLive') this.#becomeLive()
    }
    try {
      if (kind === KIND.QUESTION) return this.#answer(input)
      applier.apply(input)
      return undefined
    } catch (error) {
      if (error instanceof MalformedRecord) return error.message
      if (!(error instanceof ApplyFailure || error instanceof TreeError)) throw error
      this.#fail(error.message)
      return undefined
    }
  }

  #answer({ bytes, at, length }: InBuffer): string | undefined {
    if (length < HEAD) return 'it is too short'
    const body = bytes.subarray(at + HEAD, at + length)
    return this.#answerer?.answer(bytes[at + 1] ?? 0, bytes.readUInt32LE(at + 4), body)
  }

  /** The trees are equal. The server is told, and holds changes until it knows. */
  #becomeEqual(): void {
    this.#copying = false
    this.#equal = true
    this.#connection?.ops.plain(KIND.READY, LEVEL.VERIFY)
  }

  #becomeLive(): void {
    this.#live = true
    this.progress = undefined
    const { journal, tell } = this.parts
    journal.trust(baseUnder(this.order.session.toString('hex'), this.#marks))
    tell({ event: 'copyFinished', epoch: this.order.epoch })
  }

  #acknowledge(): void {
    const applied = this.#applier?.applied ?? 0
    if (applied === this.#acknowledged || this.#connection?.over !== false) return
    this.#acknowledged = applied
    this.#connection.ops.plain(KIND.APPLIED, 0, applied)
  }

  /** This side can't go on: the server is told why, as far as that still goes. */
  #fail(reason: string): void {
    const connection = this.#connection
    if (connection === undefined || connection.over) return
    this.#acknowledge()
    connection.ops.failed(reason)
    connection.flush()
    connection.close()
    this.#lost(reason)
  }

  #lost(cause: string): void {
    if (this.#over) return
    const wasLive = this.#live
    this.#end()
    this.parts.tell({ event: 'linkLost', epoch: this.order.epoch, cause, wasLive })
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#live = false
    this.progress = undefined
    this.#greeting?.abort()
    this.#connection?.close()
    this.#answerer?.close()
    if (this.#copying) this.parts.resync.order({ kind: 'stop', run: this.#run })
    this.#copying = false
  }
}

function asideFields(
  { files, bytes }: { readonly files: number; readonly bytes: number },
  directory: string | undefined,
): Readonly<Record<string, unknown>> {
  const text =
    files === 0
      ? 'no file had writes that only this node had'
      : `${files} files (${bytes} bytes) with writes that only this node had were set aside: see "holdfast rfs diverged list"`
  return { text, files, bytes, directory }
}
