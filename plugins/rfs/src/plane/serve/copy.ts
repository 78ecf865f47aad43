/**
 * The way of a follower from its admission to being live: two connections, the rounds of the resynchronisation, the
 * last one while changes wait. Tells the server what happened; the server owns what applications see.
 */
import { randomBytes } from 'node:crypto'
import type { LogLevel, Progress } from '@holdfast/sdk'
import { Connection, type ConnectionParts } from '../link/connection.js'
import { ServerGreeting, type Greeted } from '../link/greeting.js'
import { LINK_KIND } from '../link/handshake.js'
import { acceptTcp, listenTcp, portOf } from '../link/sockets.js'
import { POLL, close } from '../libc.js'
import type { Watch } from '../loop.js'
import { baseUnder, marksOf, resyncVolumes, standingUnder, type Marks } from '../marks.js'
import type { ResyncEvent, ResyncProgress } from '../resync-port.js'
import { ProgressMeter, progressText, searchedFields } from '../progress.js'
import type { PlaneParts } from '../parts.js'
import { Courtesy } from '../resync/courtesy.js'
import type { Volume } from '../volume.js'
import { mayBeLastRound, mayGoLive } from './decide.js'
import { LoadSensor } from './load.js'

/** Connections that may shake hands at once: whoever knocks is not known yet. */
const GREETINGS_MAX = 8
/** How often the log hears of the progress; the state hears of it twice a second. */
const PROGRESS_LOG_MS = 10_000
/** How often it is decided how much the copy may do. */
const LOAD_MS = 100

export interface AdmitOrder {
  readonly epoch: number
  readonly full: boolean
  readonly session: Buffer
  readonly key: Buffer
}

export interface CopyEvents {
  /** Changes wait from now on, until live, lost or given up. */
  readonly onLastRound: () => void
  readonly onLive: (connection: Connection, order: AdmitOrder) => void
  /** The connection or the copy ended. `wasLive` is for the server to know. */
  readonly onLost: (epoch: number, cause: string) => void
  readonly onProgress: (epoch: number, progress: Progress) => void
  /** Records of a live follower. */
  readonly onRecord: ConnectionParts['onRecord']
  readonly log: (level: LogLevel, name: string, fields: Record<string, unknown>) => void
}

export class Copy {
  #order: AdmitOrder | undefined
  #greetings: ServerGreeting[] = []
  #listener: Watch | undefined
  #connection: Connection | undefined
  #resync: Greeted | undefined
  /** An event of a copy that an earlier server of this process ordered must not look like one of ours. */
  #run = randomBytes(4).readUInt32LE(0)
  #running = false
  #rounds = 0
  /** Bytes of content that travelled: what was equal did not. */
  #contentBytes = 0
  #startedAt = 0
  /** Both sides of the copy say that the trees are equal: the worker here, the follower's loop there. */
  #equal = false
  #ready = false
  #live = false
  #level = 0
  #meter = new ProgressMeter(0)
  #loggedAt = 0
  readonly #load: LoadSensor
  #courtesy = new Courtesy()
  #loadAt = 0
  progress: Progress | undefined

  constructor(
    readonly parts: PlaneParts,
    readonly volumes: readonly Volume[],
    readonly events: CopyEvents,
  ) {
    this.#load = new LoadSensor(parts.loop)
  }

  get #marks(): Marks {
    const roots = this.volumes.map(({ root }) => root)
    return marksOf(this.parts.launch.volumes, roots)
  }

  get connection(): Connection | undefined {
    return this.#connection
  }

  get copying(): boolean {
    return this.#connection !== undefined && !this.#live
  }

  /** Somebody shakes hands or is being made equal: there is a lot to look after. */
  get isBusy(): boolean {
    return this.copying || this.#greetings.length > 0
  }

  /** Throws E_RFS_PORT. Returns the port. */
  listen(): number {
    const { loop, launch } = this.parts
    const fd = listenTcp(launch.listen.address, launch.listen.port)
    const watch: Watch = { fd, wants: POLL.IN, onReady: () => this.#accept(fd) }
    this.#listener = watch
    loop.add(watch)
    return portOf(fd)
  }

  /** Replaces an older admission and whatever came of it. */
  admit(order: AdmitOrder): void {
    if (this.#connection !== undefined) this.#lost('another follower was admitted')
    this.#order = order
  }

  /** Ends everything that concerns a follower; nobody is admitted any more. */
  stop(): void {
    this.#order = undefined
    this.#end()
    for (const greeting of this.#greetings) greeting.abort()
    this.#greetings = []
    if (this.#listener === undefined) return
    this.parts.loop.remove(this.#listener)
    close(this.#listener.fd)
    this.#listener = undefined
  }

  /** Ends the connection, as if it had been lost. A follower that is admitted and did not come yet is too late. */
  drop(cause: string): void {
    if (this.#connection !== undefined) this.#lost(cause)
    this.#order = undefined
  }

  tick(oldest: number | undefined): void {
    for (const greeting of this.#greetings) greeting.tick()
    this.#greetings = this.#greetings.filter((greeting) => !greeting.over)
    this.#connection?.tick(oldest)
    if (this.#running) this.#yield()
  }

  /** The copy takes as much as applications do not feel. */
  #yield(): void {
    const { loop, resync } = this.parts
    if (loop.now - this.#loadAt < LOAD_MS) return
    this.#loadAt = loop.now
    const before = this.#courtesy.share
    const share = this.#courtesy.next(this.#load.sample())
    if (share !== before) resync.order({ kind: 'share', run: this.#run, share })
  }

  #progressed(epoch: number, of: ResyncProgress): void {
    const { now } = this.parts.loop
    this.#contentBytes = of.contentBytes
    this.progress = this.#meter.of(of, now)
    this.events.onProgress(epoch, this.progress)
    if (now - this.#loggedAt < PROGRESS_LOG_MS) return
    this.#loggedAt = now
    const share = this.#courtesy.share
    const fields = { text: progressText(this.progress), ...this.progress, share }
    this.events.log('info', 'copyProgress', fields)
  }

  /** What the resynchronisation's worker told. */
  onResync(event: ResyncEvent): void {
    const order = this.#order
    if (order === undefined || !this.#running || event.run !== this.#run) return
    switch (event.kind) {
      case 'searched':
        this.events.log('info', 'changesSearched', searchedFields(event))
        return
      case 'scoped':
        this.events.log('info', 'copyScoped', { scope: event.scope, why: event.why })
        return
      case 'progressed':
        this.#progressed(order.epoch, event.progress)
        return
      case 'roundDone':
        if (event.last) this.#equal = true
        else this.#nextRound()
        this.#liveIfReady()
        return
      case 'setAside':
        // Only a target tells this.
        return
      case 'failed':
        this.#running = false
        this.#lost(`the copy ended: ${event.reason}`)
    }
  }

  /** What the live follower understands (LEVEL). */
  get level(): number {
    return this.#level
  }

  /** The follower's loop knows that its copy is done. */
  onReady(level: number): void {
    this.#level = level
    this.#ready = true
    this.#liveIfReady()
  }

  #liveIfReady(): void {
    const said = { equal: this.#equal, ready: this.#ready }
    if (this.#order !== undefined && mayGoLive(said)) this.#becomeLive(this.#order)
  }

  #accept(listener: number): void {
    const { loop, launch } = this.parts
    const fd = acceptTcp(listener)
    if (fd < 0) return
    if (!this.#makePlace()) {
      close(fd)
      return
    }
    const greeting = new ServerGreeting(
      loop,
      fd,
      launch.timeoutMs,
      () => this.#order,
      launch.encryption,
      {
        onDone: (greeted) => this.#greeted(greeted),
        onFailed: (cause) => this.events.log('warning', 'linkRefused', { cause }),
      },
    )
    this.#greetings.push(greeting)
  }

  /** Who knocks and says nothing must not keep the follower out: the oldest of those goes. */
  #makePlace(): boolean {
    this.#greetings = this.#greetings.filter((greeting) => !greeting.over)
    if (this.#greetings.length < GREETINGS_MAX) return true
    const silent = this.#greetings.findIndex((greeting) => !greeting.isExpected)
    if (silent < 0) return false
    const [displaced] = this.#greetings.splice(silent, 1)
    displaced?.displace()
    return true
  }

  #greeted(greeted: Greeted): void {
    if (greeted.kind === LINK_KIND.OPS) this.#opsArrived(greeted)
    else this.#resyncArrived(greeted)
  }

  #opsArrived(greeted: Greeted): void {
    if (this.#connection !== undefined) {
      close(greeted.fd)
      this.events.log('warning', 'linkRefused', { cause: 'this session has its connection' })
      return
    }
    const { loop, launch } = this.parts
    this.#connection = new Connection(loop, greeted.fd, greeted.keys, launch.timeoutMs, {
      onRecord: this.events.onRecord,
      onLost: (cause) => this.#lost(cause),
    })
    this.#start()
  }

  #resyncArrived(greeted: Greeted): void {
    // A second copy beside the first, or of a follower that is live, would never end: changes would wait for it.
    if (this.#running || this.#live) {
      close(greeted.fd)
      this.events.log('warning', 'linkRefused', { cause: 'this session has its copy' })
      return
    }
    if (this.#resync !== undefined) close(this.#resync.fd)
    this.#resync = greeted
    this.#start()
  }

  /** Both connections are there: the copy begins. From here on changes are recorded for the next round. */
  #start(): void {
    const order = this.#order
    const greeted = this.#resync
    if (order === undefined || greeted === undefined || this.#connection === undefined) return
    if (this.#running) return
    this.#resync = undefined
    this.#running = true
    this.#rounds = 0
    this.#contentBytes = 0
    this.#startedAt = this.parts.loop.now
    this.#loggedAt = this.#startedAt
    this.#meter = new ProgressMeter(this.#startedAt)
    this.#courtesy = new Courtesy()
    this.#load.sample()
    this.#loadAt = this.#startedAt
    const { journal, resync, launch } = this.parts
    const keys = journal.snapshot()
    journal.beginSet()
    resync.order({
      kind: 'source',
      run: ++this.#run,
      full: order.full,
      bytesPerSecond: launch.copyBytesPerSecond,
      socket: greeted.fd,
      keys: greeted.keys,
      volumes: resyncVolumes(launch, this.volumes),
      zoneBytes: launch.zoneBytes,
      standing: standingUnder(journal.standing, this.#marks),
      journal: keys,
      gaps: journal.gaps,
      timeoutMs: launch.timeoutMs,
    })
  }

  #nextRound(): void {
    const { journal, resync } = this.parts
    this.#rounds++
    const last = mayBeLastRound(this.#rounds, journal.setSize())
    // No change is made any more before its set is taken: the set is complete.
    if (last) this.events.onLastRound()
    resync.order({ kind: 'round', run: this.#run, keys: journal.takeSet(), last })
  }

  #becomeLive(order: AdmitOrder): void {
    const connection = this.#connection
    this.#running = false
    if (connection === undefined || this.#live) return
    const { journal } = this.parts
    journal.endSet()
    journal.trust(baseUnder(order.session.toString('hex'), this.#marks))
    this.#live = true
    const ms = Math.round(this.parts.loop.now - this.#startedAt)
    this.events.log('event', 'copyDone', {
      text: `the follower is identical: ${this.#contentBytes} bytes of content were copied in ${ms} ms`,
      contentBytes: this.#contentBytes,
      rounds: this.#rounds,
      ms,
    })
    this.events.onLive(connection, order)
  }

  #lost(cause: string): void {
    const epoch = this.#order?.epoch ?? 0
    this.#end()
    // A session ends with its connection: the next follower is admitted with another one.
    this.#order = undefined
    this.events.onLost(epoch, cause)
  }

  #end(): void {
    if (this.#running) {
      this.#running = false
      this.parts.resync.order({ kind: 'stop', run: this.#run })
      this.parts.journal.endSet()
    }
    if (this.#resync !== undefined) close(this.#resync.fd)
    this.#resync = undefined
    this.#connection?.close()
    this.#connection = undefined
    this.#equal = false
    this.#ready = false
    this.#live = false
    this.progress = undefined
  }
}
