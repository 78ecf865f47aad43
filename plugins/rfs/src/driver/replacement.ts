/**
 * Another data plane in the place of one that died while it served, or was ended so that another one goes on, as long as that
 * is of use: what kills each successor at once (a request that finds a bug, a broken disk) is given up after a few times, and
 * then the topology decides.
 */
import { type Clock, type Log, type Verdict, refused } from '@holdfast/sdk'
import { type Plane, statusIn, statusWaitMs } from './plane.js'
import type { PlaneOrder, PlaneStatus } from './protocol.js'
import { readKept } from './kept.js'
import type { Answer } from './socket.js'

export interface ReplacementParts {
  readonly clock: Clock
  readonly log: Log
  readonly plane: Plane
  /** Of `kept.ts`. */
  readonly keptFile: string
}

const timesMax = 3
const periodMs = 60_000

export class Replacement {
  private atMs: readonly number[] = []
  private current: Promise<PlaneStatus | undefined> = Promise.resolve(undefined)

  constructor(private readonly parts: ReplacementParts) {}

  /** Orders wait until it is known whether there is a data plane for them. Never rejects. */
  async settled(): Promise<void> {
    await this.parts.plane.settled()
    await this.current
  }

  /** Of the data plane, or of its successor when only this question finds that it died. Never rejects. */
  async status(): Promise<PlaneStatus | undefined> {
    return statusIn(await this.order({ order: 'status' }, statusWaitMs))
  }

  /** The same of any order: doing it twice must be as good as doing it once. */
  async order(order: PlaneOrder, timeoutMs: number): Promise<Answer> {
    const { plane } = this.parts
    await this.settled()
    const answer = await plane.order(order, timeoutMs)
    if (answer.ok || answer.code !== 'E_RFS_DEAD') return answer
    await this.settled()
    return plane.order(order, timeoutMs)
  }

  /** The status of the new one, which serves; undefined: there is none. */
  run(ending: string): Promise<PlaneStatus | undefined> {
    this.current = this.replace(ending)
    return this.current
  }

  /**
   * The same in the place of one that serves. It is ended as by a crash: that way every version knows, and no other is tested
   * as much.
   */
  renew(cause: string): Promise<PlaneStatus | undefined> {
    this.current = this.parts.plane.retire().then(() => this.replace(cause))
    return this.current
  }

  private async replace(ending: string): Promise<PlaneStatus | undefined> {
    const { clock, log, plane, keptFile } = this.parts
    // A kernel that can't give requests again, or a mount that was given up.
    if ((await readKept(keptFile)) === undefined) return undefined
    const startedMs = clock.monotonicMs()
    const verdict = this.allowed(startedMs) ? await plane.replace() : tooOften
    const status = verdict.ok ? await plane.status() : undefined
    if (status?.role !== 'serving') {
      const text = verdict.ok ? 'it does not answer' : verdict.reason
      log.write('critical', 'dataPlaneNotReplaced', { cause: ending, text })
      // Nobody comes for what was kept. As long as the kernel has the connection the application waits, and can't be stopped.
      await plane.kill()
      return undefined
    }
    const tookMs = Math.round(clock.monotonicMs() - startedMs)
    log.write('warning', 'dataPlaneReplaced', { cause: ending, tookMs, link: status.link })
    return status
  }

  private allowed(nowMs: number): boolean {
    const recent = this.atMs.filter((atMs) => nowMs - atMs < periodMs)
    this.atMs = [...recent, nowMs]
    return recent.length < timesMax
  }
}

const tooOften: Verdict = refused(
  'E_RFS_DEAD',
  `data planes died ${String(timesMax)} times in ${String(periodMs / 1000)} seconds`,
)
