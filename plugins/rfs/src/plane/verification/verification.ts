/**
 * Verifies on the serving side, while applications go on: one question is under way at a time, and the walk rests between
 * them (pace.ts). It ends with a report, also when something ends it early: that is never called a success.
 */
import { HoldfastError } from '@holdfast/sdk'
import { exclusionsIn } from '../exclusions.js'
import { MalformedError, Reader, Writer } from '../journal/bytes.js'
import { MODE } from '../libc.js'
import { HEAD, KIND, LEVEL, type OpWriter } from '../link/ops.js'
import { PAYLOAD_MAX, type InBuffer } from '../link/records.js'
import type { PlaneParts } from '../parts.js'
import type { BytePath } from '../resync-port.js'
import { TreeError } from '../resync/tree.js'
import type { Volume } from '../volume.js'
import { Findings } from './findings.js'
import { look, type Looked } from './look.js'
import { SAME, putQuestion, takeAnswer, type Answer } from './messages.js'
import { Pace } from './pace.js'
import { Walk, type Asked } from './walk.js'

/** The link would be lost long before: this only bounds a follower that answers everything else. */
const ANSWER_MS_MAX = 60_000

export interface VerifyOrder {
  /** Undefined: all. */
  readonly volume: number | undefined
  readonly path: BytePath
  readonly repair: boolean
}

export interface VerificationParts extends Pick<
  PlaneParts,
  'launch' | 'loop' | 'journal' | 'tell' | 'log'
> {
  /** Undefined: no follower is live. */
  readonly ops: () => OpWriter | undefined
  /** Tells the follower what it is still owed about a node. */
  readonly settle: (volume: Volume, node: number) => void
}

interface Run {
  readonly steps: Generator<Asked, void, Answer>
  readonly findings: Findings
  readonly pace: Pace
  readonly startedAt: number
  /** Of the question that is under way. */
  token: number
  askedAt: number
  hereMs: number
}

export class Verification {
  #run: Run | undefined
  #token = 0
  readonly #writer = new Writer()

  constructor(readonly parts: VerificationParts) {}

  get counters(): Record<string, number> {
    const findings = this.#run?.findings
    return findings === undefined
      ? {}
      : { verifiedNames: findings.names, verifiedBytes: findings.bytes }
  }

  /** Throws HoldfastError when it can't begin. `level`: what the follower understands. */
  start(volumes: readonly Volume[], order: VerifyOrder, level: number): void {
    if (this.#run !== undefined) {
      throw new HoldfastError('E_RFS_VERIFYING', 'a verification is under way', {
        hint: 'wait for its end, or end it with "holdfast rfs verify-stop"',
      })
    }
    if (this.parts.ops() === undefined) throw notLive()
    if (level < LEVEL.VERIFY) {
      throw new HoldfastError(
        'E_RFS_PEER_OLD',
        'the secondary runs a version without verification',
        {
          hint: 'upgrade Holdfast there',
        },
      )
    }
    const chosen = volumes.filter(
      ({ index }) => order.volume === undefined || order.volume === index,
    )
    for (const volume of chosen) mustBeReplicated(volume, order.path)
    this.#begin(chosen, order)
  }

  get isRunning(): boolean {
    return this.#run !== undefined
  }

  /** Ends what is under way: its report says why. */
  stop(cause: string): void {
    if (this.#run !== undefined) this.#finish(this.#run, cause)
  }

  /** What the follower answered. Returns why that is refused, or undefined. */
  onAnswer(token: number, input: InBuffer): string | undefined {
    const run = this.#run
    // Of one that was stopped meanwhile.
    if (run?.token !== token) return undefined
    const { bytes, at, length } = input
    try {
      const reader = new Reader(bytes.subarray(at + HEAD, at + length))
      const answer = takeAnswer(reader)
      reader.end()
      this.#rest(run, answer)
      return undefined
    } catch (error) {
      if (error instanceof MalformedError) return error.message
      throw error
    }
  }

  tick(): void {
    const run = this.#run
    if (run !== undefined && run.token !== 0 && this.parts.loop.now - run.askedAt > ANSWER_MS_MAX) {
      this.#finish(run, `the secondary did not answer for ${ANSWER_MS_MAX} ms`)
    }
  }

  #begin(volumes: readonly Volume[], { path, repair }: VerifyOrder): void {
    const { launch, loop, journal, settle } = this.parts
    const findings = new Findings(launch.zoneBytes)
    const exclusions = exclusionsIn(launch.volumes)
    const walk = new Walk({ journal, exclusions, findings, repair, settle })
    this.#run = {
      steps: treesOf(walk, volumes, path),
      findings,
      pace: new Pace(),
      startedAt: loop.now,
      token: 0,
      askedAt: loop.now,
      hereMs: 0,
    }
    this.#step(this.#run, undefined)
  }

  #rest(run: Run, answer: Answer): void {
    run.token = 0
    const rest = run.pace.restAfter(run.hereMs, answer.busyMs)
    if (rest === 0) {
      this.#step(run, answer)
      return
    }
    this.parts.loop.after(rest, () => {
      if (this.#run === run) this.#step(run, answer)
    })
  }

  /** To the next question. What is asked is looked at here and now, and sent before anything else happens. */
  #step(run: Run, answer: Answer | undefined): void {
    const began = performance.now()
    // The first call starts the generator: what it is given then is not looked at.
    let next = run.steps.next(answer ?? { ...SAME, busyMs: 0 })
    while (next.done !== true && !this.#send(run, next.value)) {
      run.findings.skipped++
      next = run.steps.next({ ...SAME, busyMs: 0 })
    }
    run.hereMs = performance.now() - began
    if (next.done === true) this.#finish(run, undefined)
  }

  /** False: it does not fit into a record. */
  #send(run: Run, { volume, question }: Asked): boolean {
    this.#writer.clear()
    putQuestion(this.#writer, question)
    if (this.#writer.length > PAYLOAD_MAX - HEAD) return false
    this.#token = (this.#token % 0xffff_fffe) + 1
    run.token = this.#token
    run.askedAt = this.parts.loop.now
    this.parts.ops()?.about(KIND.QUESTION, volume.index, run.token, this.#writer.view())
    return true
  }

  #finish(run: Run, cause: string | undefined): void {
    this.#run = undefined
    run.steps.return()
    const report = run.findings.report(this.parts.loop.now - run.startedAt, cause)
    this.parts.tell({ event: 'verified', report })
  }
}

function* treesOf(
  walk: Walk,
  volumes: readonly Volume[],
  path: BytePath,
): Generator<Asked, void, Answer> {
  for (const volume of volumes) yield* walk.tree(volume, path)
}

function mustBeReplicated(volume: Volume, path: BytePath): void {
  const shown = `${volume.directory}/${Buffer.from(path, 'latin1').toString('utf8')}`
  const found = lookOrNothing(volume, path)
  if (found === undefined) throw new HoldfastError('E_RFS_NO_FILE', `there is no ${shown}`)
  const isDirectory = (found.mode & MODE.TYPE) === MODE.DIRECTORY
  if (path === '' || volume.table.exclusions?.covers(path, isDirectory) !== true) return
  throw new HoldfastError('E_RFS_LEFT_OUT', `${shown} is not replicated`, {
    hint: '<notreplicated> leaves it out: each node has its own, and there is nothing to compare',
  })
}

function lookOrNothing({ root }: Volume, path: BytePath): Looked | undefined {
  try {
    return look(root, path)
  } catch (error) {
    if (error instanceof TreeError) return undefined
    throw error
  }
}

function notLive(): HoldfastError {
  return new HoldfastError('E_RFS_NOT_LIVE', 'no secondary follows: there is nothing to compare', {
    hint: 'verify when the module is PRIM here and SECOND on the other node',
  })
}
