/** Verifications of this module as the plugin sees them: begun by an operator or by the schedule, one at a time, kept. */
import { isAbsolute, normalize } from 'node:path'
import {
  type Cancel,
  type Clock,
  HoldfastError,
  type Log,
  messageOf,
  type Store,
} from '@holdfast/sdk'
import type { PlaneOrder, PlaneStatus, VerifyReport } from '../driver/protocol.js'
import { isBeneath } from '../driver/settings.js'
import type { Answer } from '../driver/socket.js'
import { sentenceOf, type Verified, verifiedOf } from './report.js'

const orderWaitMs = 15_000
const keptName = 'verified'

export interface VerificationsParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly directories: readonly string[]
  readonly order: (order: PlaneOrder, timeoutMs: number) => Promise<Answer>
  readonly status: () => Promise<Pick<PlaneStatus, 'role' | 'link'> | undefined>
}

export interface VerifyRequest {
  readonly by: Verified['by']
  readonly repair: boolean
  readonly path: string | undefined
}

export class Verifications {
  private running: (VerifyRequest & { readonly startedMs: number }) | undefined
  private readonly listeners = new Set<(verified: Verified) => void>()

  constructor(private readonly parts: VerificationsParts) {}

  /** Verifies at the times of a cron expression, on the node that serves then. Throws for one that is malformed. */
  schedule(expression: string): Cancel {
    return this.parts.clock.cron(expression, () => {
      void this.onSchedule()
    })
  }

  /** Returns when it has begun. Throws HoldfastError when it can't. */
  async begin(request: VerifyRequest): Promise<void> {
    const { clock, directories, order, status } = this.parts
    const where = placeOf(directories, request.path)
    if ((await status())?.role !== 'serving') {
      throw new HoldfastError('E_RFS_NOT_SERVING', 'the directories are not served on this node', {
        hint: 'verify on the node that is PRIM',
      })
    }
    const before = this.running
    // A small tree is done, and its report here, before the order is answered.
    const begun = { ...request, startedMs: clock.wallMs() }
    this.running = begun
    const answer = await order({ order: 'verify', ...where, repair: request.repair }, orderWaitMs)
    if (answer.ok) return
    if (this.running === begun) this.running = before
    throw new HoldfastError(answer.code, answer.reason, hintOf(answer.hint))
  }

  /** Ends what is under way; its report says that it was interrupted. */
  async end(): Promise<void> {
    const answer = await this.parts.order({ order: 'endVerify' }, orderWaitMs)
    if (!answer.ok) throw new HoldfastError(answer.code, answer.reason, hintOf(answer.hint))
  }

  /** Resolves with the result of the one under way; undefined when the caller goes away before. */
  result(signal: AbortSignal): Promise<Verified | undefined> {
    return new Promise((resolve) => {
      const settle = (verified: Verified | undefined): void => {
        this.listeners.delete(settle)
        resolve(verified)
      }
      this.listeners.add(settle)
      signal.addEventListener('abort', () => {
        settle(undefined)
      })
    })
  }

  /** The last one that ended while this node served. */
  async last(): Promise<Verified | undefined> {
    return verifiedOf(await this.parts.store.read(keptName))
  }

  /** The data plane told its end. */
  async ended(report: VerifyReport): Promise<void> {
    const { clock, log } = this.parts
    const endedMs = clock.wallMs()
    // One that an earlier daemon began: who began it, and how, is not known any more.
    const unknown = { by: 'operator', repair: false, path: undefined } as const
    const begun = this.running ?? { ...unknown, startedMs: endedMs - report.ms }
    this.running = undefined
    const verified: Verified = { ...report, ...begun, format: 1, endedMs }
    const { differences, repaired } = report
    const level = { equal: 'event', different: 'critical', interrupted: 'warning' } as const
    const fields = { text: sentenceOf(report), differences, repaired }
    log.write(level[report.outcome], 'verified', fields)
    await this.keep(verified)
    for (const listener of [...this.listeners]) listener(verified)
  }

  /** The data plane is gone, and whatever it did. */
  async lost(cause: string): Promise<void> {
    if (this.running === undefined) return
    const ms = this.parts.clock.wallMs() - this.running.startedMs
    const nothing = { names: 0, bytes: 0, skipped: 0, differences: 0, repaired: 0, zoneBytes: 0 }
    await this.ended({ outcome: 'interrupted', cause, ms, ...nothing, listed: [] })
  }

  private async keep(verified: Verified): Promise<void> {
    try {
      await this.parts.store.write(keptName, verified)
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      this.parts.log.write('warning', 'verifiedNotKept', { cause: messageOf(error) })
    }
  }

  private async onSchedule(): Promise<void> {
    const status = await this.parts.status()
    // The other node verifies, or there is nothing to compare with: that is shown by the state of the module.
    if (status?.role !== 'serving' || status.link !== 'live') return
    try {
      await this.begin({ by: 'schedule', repair: false, path: undefined })
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      this.parts.log.write('warning', 'notVerified', { cause: messageOf(error) })
    }
  }
}

/** Which replicated directory a path is in, and where in it: as bytes, one character each. Throws HoldfastError. */
function placeOf(
  directories: readonly string[],
  path: string | undefined,
): { readonly volume?: number; readonly path: string } {
  if (path === undefined) return { path: '' }
  const [only = ''] = directories
  const base = directories.length === 1 ? only : ''
  // Without its last slash, as the directories are written.
  const absolute = normalize(isAbsolute(path) ? path : `${base}/${path}`).replace(/(.)\/$/, '$1')
  const volume = directories.findIndex((one) => isBeneath(absolute, one))
  const directory = directories[volume]
  if (directory === undefined) {
    throw new HoldfastError('E_RFS_OUTSIDE', `"${path}" is in no replicated directory`, {
      hint: `there are: ${directories.join(', ')}`,
    })
  }
  const within = absolute.slice(directory.length + 1)
  return { volume, path: Buffer.from(within, 'utf8').toString('latin1') }
}

function hintOf(hint: string | undefined): { readonly hint?: string } {
  return hint === undefined ? {} : { hint }
}
