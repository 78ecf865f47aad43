/**
 * The serving side of a copy: learns what the target has, decides the scope, and drives the rounds. All work is cut into small steps
 * between which answers are read; nothing waits for one answer, so many small files cost no round trip each.
 */
import { exclusionsIn } from '../exclusions.js'
import { MalformedError, type Reader } from '../journal/bytes.js'
import { decodeInto } from '../journal/codec.js'
import type { Keys } from '../journal/keys.js'
import type { BytePath, ResyncProgress, ResyncVolume, Standing } from '../resync-port.js'
import { ChannelError, type Channel } from './channel.js'
import { Printer } from './content.js'
import { decideScope } from './decide.js'
import { Files, type Task } from './files.js'
import { Foresight } from './foresight.js'
import {
  MESSAGE,
  PROTOCOL,
  REASON_BYTES_MAX,
  SCOPES,
  STATE,
  putProgress,
  takePath,
  takePrint,
  takePrints,
  type Scope,
} from './messages.js'
import { Pace } from './pace.js'
import { addWant, planOf, type Plan, type Want } from './plan.js'
import { Questions } from './questions.js'
import { Siblings } from './siblings.js'
import { Totals } from './totals.js'
import { Walk } from './walk.js'

export interface SourceOptions {
  readonly channel: Channel
  readonly volumes: readonly ResyncVolume[]
  readonly zoneBytes: number
  readonly standing: Standing
  /** This side's keys; the target's are added to them. */
  readonly keys: Keys
  readonly full: boolean
  readonly bytesPerSecond?: number | undefined
  /** Adds to the keys what others changed here. */
  readonly search: Task | undefined
  readonly on: SourceEvents
}

export interface SourceEvents {
  scoped(scope: Scope, why: string): void
  roundDone(last: boolean): void
  progressed(progress: ResyncProgress): void
}

/** What may wait for the socket before the work pauses. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024
/** Steps between two looks at the socket. */
const STEPS = 64
/** Links that lead to links that lead to links … are followed so many times. */
const CLOSURES_MAX = 64
const PROGRESS_MS = 500

type Stage =
  'hello' | 'offering' | 'walking' | 'settling' | 'widening' | 'ending' | 'resting' | 'finished'

export class Source {
  readonly #options: SourceOptions
  readonly #channel: Channel
  readonly #files: Files
  readonly #walk: Walk
  readonly #totals = new Totals()
  readonly #questions = new Questions()
  readonly #foresight = new Foresight()
  /** Work that came from answers; goes before the walk, because it frees what the target holds open. */
  readonly #tasks: Task[] = []
  #walker: Task | undefined
  #stage: Stage = 'hello'
  #scope: Scope = 'all'
  #last = false
  #closures = 0
  /** The target does not count on keys to describe what is changed (any more). */
  #widened = false
  /** More names to look at, by volume: links outside the scope, directories that the target does not have. */
  #more = new Map<number, Plan>()
  #siblings = new Siblings()
  #progressMs = 0
  readonly #pace: Pace

  constructor(options: SourceOptions) {
    this.#options = options
    this.#channel = options.channel
    const printer = new Printer(options.zoneBytes)
    this.#files = new Files({
      channel: options.channel,
      printer,
      compared: (same) => this.#foresight.told(same),
      finished: (file) => this.#totals.fileDone(file.size),
    })
    this.#pace = new Pace(options.bytesPerSecond ?? Infinity)
    this.#walk = new Walk({
      channel: options.channel,
      printer,
      // In a full copy nothing that is there counts.
      tellsPrints: () => this.#scope !== 'full' && this.#foresight.prints,
      exclusions: exclusionsIn(options.volumes),
      asked: (question) => this.#questions.add(question),
      linked: (volume, inode, path) => {
        if (this.#scope === 'keys') this.#siblings.tell(volume, inode, path)
      },
    })
  }

  /** The last round is acknowledged. */
  get finished(): boolean {
    return this.#stage === 'finished'
  }

  /** How long nothing may be made: because of the limit of the bandwidth, or for the sake of applications. */
  get pauseMs(): number {
    // In the last round applications wait for the copy.
    if (this.#last) return 0
    return this.#pace.waitMs(performance.now(), this.#channel.madeBytes)
  }

  set share(share: number) {
    this.#pace.share = share
  }

  /** Can `work` do anything before the next answer? */
  get busy(): boolean {
    return (
      this.#channel.queuedBytes < QUEUED_BYTES_MAX &&
      (this.#tasks.length > 0 || (this.#walker !== undefined && this.#mayAsk))
    )
  }

  /** The next round, after `roundDone`: what changed meanwhile. */
  round(keys: Keys, last: boolean): void {
    if (this.#stage !== 'resting') throw new Error('a round was ordered within another')
    this.#files.comparesKeys = false
    this.#totals.begin(last ? 'last' : 'delta')
    // What a round leaves out is nowhere: also a first comparison of everything is followed by rounds of keys.
    this.#begin(keys, 'keys', last)
  }

  /** A few steps of work. Throws TreeError when this side can't go on. */
  work(): void {
    const begun = performance.now()
    for (let steps = 0; steps < STEPS && this.busy; steps += 1) {
      const [task] = this.#tasks
      if (task !== undefined) {
        if (task.next().done === true) this.#tasks.shift()
      } else if (this.#walker?.next().done === true) this.#walker = undefined
    }
    this.#settle()
    this.#tellProgress(false)
    this.#pace.worked(begun, performance.now())
  }

  receive(messages: Reader): void {
    while (messages.left > 0) this.#message(messages.u8(), messages)
  }

  close(): void {
    this.#walker?.return(undefined)
    for (const task of this.#tasks) task.return(undefined)
    this.#files.close()
    this.#questions.close()
  }

  get #mayAsk(): boolean {
    return this.#questions.hasRoomBeside(this.#files.count)
  }

  #message(kind: number, from: Reader): void {
    const handler = this.#handlers[kind]
    if (handler === undefined) throw new MalformedError(`message ${kind} to a source`)
    handler(from)
  }

  readonly #handlers: Readonly<Record<number, (from: Reader) => void>> = {
    [MESSAGE.pulse]: () => undefined,
    [MESSAGE.busy]: () => this.#channel.heardBusy(),
    [MESSAGE.failed]: (from) => {
      throw new ChannelError(`the secondary gave up: ${from.text(REASON_BYTES_MAX)}`)
    },
    [MESSAGE.hello]: (from) => this.#onHello(from),
    [MESSAGE.keys]: (from) => {
      this.#expect('offering')
      decodeInto(from.raw(from.uint()), this.#options.keys)
    },
    [MESSAGE.ready]: () => this.#onReady(),
    [MESSAGE.state]: (from) => this.#onState(from),
    [MESSAGE.settled]: (from) => this.#onSettled(from.uint()),
    [MESSAGE.lost]: (from) => this.#onLost(from),
    [MESSAGE.hashes]: (from) => this.#onHashes(from),
    [MESSAGE.siblings]: (from) => this.#onSiblings(from),
    [MESSAGE.roundDone]: () => this.#onRoundDone(),
  }

  #expect(stage: Stage): void {
    if (this.#stage !== stage) throw new MalformedError(`a message out of turn (${this.#stage})`)
  }

  /** What the target has decides what is compared; it sends its keys only when they are of use. */
  #onHello(from: Reader): void {
    this.#expect('hello')
    const protocol = from.uint()
    if (protocol !== PROTOCOL) {
      throw new ChannelError(
        `the secondary speaks version ${protocol} of the copy, not ${PROTOCOL}`,
      )
    }
    const { full, standing, zoneBytes } = this.#options
    const target = {
      zoneBytes: from.uint(),
      trusted: from.u8() === 1,
      why: from.text(REASON_BYTES_MAX) || undefined,
      base: from.text(REASON_BYTES_MAX) || undefined,
    }
    const decided = decideScope({ full, source: { ...standing, zoneBytes }, target })
    this.#scope = decided.scope
    this.#widened = decided.scope !== 'keys'
    this.#stage = 'offering'
    const to = this.#channel.begin(MESSAGE.scope).u8(SCOPES.indexOf(decided.scope))
    to.text(decided.why)
    // While the target does the same.
    if (decided.scope === 'keys') this.#walker = this.#options.search
    this.#options.on.scoped(decided.scope, decided.why)
  }

  /** The target may be changed; in the scope of keys it has sent its own. */
  #onReady(): void {
    if (this.#stage === 'widening') {
      this.#widened = true
      this.#stage = 'walking'
      this.#walker = this.#walkMore()
      return
    }
    this.#expect('offering')
    this.#totals.begin('comparing')
    this.#begin(this.#options.keys, this.#scope, false)
  }

  #begin(keys: Keys, scope: Scope, last: boolean): void {
    this.#scope = scope
    this.#last = last
    this.#stage = 'walking'
    this.#closures = 0
    this.#siblings = new Siblings()
    this.#walker = scope === 'keys' ? this.#walkKeys(keys) : this.#walkAll()
  }

  *#walkAll(): Task {
    for (const volume of this.#options.volumes) yield* this.#totals.count(volume)
    if (this.#scope === 'full') this.#totals.phase('copying')
    for (const volume of this.#options.volumes) yield* this.#walk.tree(volume, '')
  }

  *#walkKeys(keys: Keys): Task {
    const { volumes, zoneBytes, search } = this.#options
    if (search !== undefined) yield* search
    this.#totals.expectKeys(keys, zoneBytes)
    const plans = planOf(
      keys,
      volumes.map((volume) => volume.index),
    )
    for (const { volume: index, whole, directories, listed } of plans) {
      const volume = this.#volume(index)
      if (whole) yield* this.#walk.tree(volume, '')
      else yield* this.#walk.plan(volume, directories, listed)
    }
  }

  #volume(index: number): ResyncVolume {
    const found = this.#options.volumes.find((volume) => volume.index === index)
    if (found === undefined) throw new MalformedError(`volume ${index} is not one of this module`)
    return found
  }

  /** All that was walked is answered and copied: is there more to look at, or is the round over? */
  #settle(): void {
    const idle = this.#walker === undefined && this.#tasks.length === 0
    if (this.#stage !== 'walking' || !idle || this.#questions.count + this.#files.count > 0) return
    this.#stage = 'settling'
    this.#channel.begin(MESSAGE.askSiblings)
  }

  #onSiblings(from: Reader): void {
    this.#expect('settling')
    const end = from.u8() === 1
    const count = from.uint()
    for (let i = 0; i < count; i += 1) this.#wantMore(from.uint(), takePath(from))
    if (!end) {
      this.#channel.begin(MESSAGE.askSiblings)
      return
    }
    this.#walker = this.#widen()
    this.#stage = 'walking'
  }

  /** Looks for what else has to be looked at; without anything the round ends. */
  *#widen(): Task {
    if (this.#scope === 'keys') yield* this.#findSiblings()
    if (this.#more.size === 0) {
      this.#stage = 'ending'
      this.#channel.begin(MESSAGE.roundEnd).u8(this.#last ? 1 : 0)
    } else if (this.#widened) yield* this.#walkMore()
    else {
      // Cut in the middle of these names, the copy would leave differences that no journal tells of.
      this.#stage = 'widening'
      this.#channel.begin(MESSAGE.widen).text('names beyond the keys must be compared')
    }
  }

  *#walkMore(): Task {
    this.#closures += 1
    if (this.#closures > CLOSURES_MAX) throw new ChannelError('the tree does not come to rest')
    const more = this.#more
    this.#more = new Map()
    for (const [index, plan] of more) yield* this.#walk.plan(this.#volume(index), plan, [])
  }

  *#findSiblings(): Task {
    const { volumes } = this.#options
    for (const found of this.#siblings.search(volumes, this.#walk.options.exclusions)) {
      if (found !== undefined) this.#wantMore(found.volume, found.path)
      yield
    }
  }

  #wantMore(volume: number, path: BytePath): void {
    this.#volume(volume)
    const plan = this.#more.get(volume) ?? new Map<BytePath, Map<BytePath, Want>>()
    this.#more.set(volume, plan)
    addWant(plan, path, { entry: true, zones: undefined })
  }

  #onState(from: Reader): void {
    const id = from.uint()
    const state = from.u8()
    const question = this.#questions.answered(id)
    if (question.kind === 'directory') {
      // A directory whose attributes alone were to differ is new there: so is everything in it.
      if (state !== STATE.kept) this.#wantMore(question.volume, question.path)
      return
    }
    if (state === STATE.kept) {
      const size = from.uint()
      const first = from.u8() === 1 ? takePrint(from) : undefined
      this.#tasks.push(this.#files.compare(question, size, first))
    } else if (state === STATE.made) {
      this.#foresight.told(false)
      this.#tasks.push(this.#files.sendAll(question))
    } else {
      question.directory.release()
      this.#totals.fileDone(question.size)
    }
  }

  #onSettled(id: number): void {
    for (const { directory, size } of this.#questions.settledUpTo(id)) {
      directory.release()
      this.#foresight.told(true)
      this.#totals.fileDone(size)
    }
  }

  #onLost(from: Reader): void {
    const volume = from.uint()
    const path = takePath(from)
    // The root is always there; a target that says otherwise would be asked for ever.
    if (path === '') throw new MalformedError('the root of a volume is lost')
    this.#wantMore(volume, path)
  }

  #onHashes(from: Reader): void {
    const id = from.uint()
    const first = from.uint()
    this.#tasks.push(this.#files.onHashes(id, first, takePrints(from)))
  }

  #onRoundDone(): void {
    this.#expect('ending')
    this.#stage = this.#last ? 'finished' : 'resting'
    this.#tellProgress(true)
    this.#options.on.roundDone(this.#last)
  }

  #tellProgress(now: boolean): void {
    // Before the scope is said there is nothing to tell, and the target does not expect it.
    if (this.#stage === 'hello') return
    const ms = performance.now()
    if (!now && ms - this.#progressMs < PROGRESS_MS) return
    this.#progressMs = ms
    const progress = this.#totals.progress(this.#files.contentBytes)
    this.#options.on.progressed(progress)
    putProgress(this.#channel.begin(MESSAGE.progress), progress)
  }
}
