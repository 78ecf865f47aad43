/**
 * One checker under supervision: it may refuse, throw, hang, flood or fall silent; then its resource says so, with its
 * name, and everything else goes on.
 */
import {
  type Cancel,
  type Checker,
  type Clock,
  type Log,
  messageOf,
  type ResourceValue,
  type Verdict,
} from '@holdfast/sdk'

export const answerTimeoutMs = 10_000
/** A checker that could not begin tries again after this time, for as long as it is wanted. */
export const retryMs = 30_000
/** At most one value goes on in this time; of those that come faster the last one counts. */
export const paceMs = 50
/** No report for ten times the longest pause so far, and at least for this time: nobody knows any more. */
export const silenceMinMs = 60_000
const silenceFactor = 10
const floodReportsMax = 1_000
const floodWindowMs = 1_000
const causeCharactersMax = 300

export interface Said {
  readonly value: ResourceValue
  readonly cause: string
}

export interface SupervisedParts {
  readonly name: string
  readonly checker: Checker
  readonly clock: Clock
  readonly log: Log
  readonly say: (said: Said) => void
}

export class Supervised {
  /** Each begin and each end is a new round; what comes of an older one is late. */
  private round = 0
  private tail: Promise<void> = Promise.resolve()
  private cancels = new Map<'retry' | 'pace' | 'silence', Cancel>()
  private waiting: Said | undefined
  private saidMs = -Infinity
  private heardMs = 0
  private longestPauseMs = 0
  private flood = { sinceMs: 0, reports: 0, isNamed: false }

  constructor(private readonly parts: SupervisedParts) {}

  begin(): void {
    const round = this.newRound()
    this.longestPauseMs = 0
    this.heardMs = this.parts.clock.monotonicMs()
    this.waitForReport(round)
    void this.inTurn(() => this.start(round)) // It never rejects: `attempt` turns everything into a reason.
  }

  /** Settles when the checker has stopped, or took too long for it. What it reports from now on is ignored. */
  end(): Promise<void> {
    this.newRound()
    return this.inTurn(() => this.stop())
  }

  /** Its program says by itself what the checker would say: the checker may be silent. */
  heardOtherwise(): void {
    this.cancel('silence')
  }

  private newRound(): number {
    for (const which of ['retry', 'pace', 'silence'] as const) this.cancel(which)
    this.waiting = undefined
    return ++this.round
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.tail = this.tail.then(work)
    return this.tail
  }

  private async start(round: number): Promise<void> {
    if (round !== this.round) return
    const { checker } = this.parts
    const problem = await this.attempt(() =>
      checker.start((value, cause) => {
        if (round === this.round) this.hear(round, value, cause)
      }),
    )
    if (problem === undefined || round !== this.round) return
    this.parts.log.write('warning', 'checkerRefused', { text: `${this.parts.name}: ${problem}` })
    this.cancel('silence')
    this.parts.say({ value: 'unknown', cause: `it can't be watched: ${problem}` })
    this.arm('retry', retryMs, () => {
      void this.inTurn(async () => {
        await this.stop()
        await this.start(round)
      }) // As in `begin`.
    })
  }

  private async stop(): Promise<void> {
    const { checker, log, name } = this.parts
    const problem = await this.attempt(async () => {
      await checker.stop()
      return undefined
    })
    if (problem !== undefined) {
      log.write('warning', 'checkerNotStopped', { text: `${name} did not stop: ${problem}` })
    }
  }

  /** Foreign code: whatever it throws is this checker's failure and nobody else's. Undefined: it went well. */
  private async attempt(work: () => Promise<Verdict | undefined>): Promise<string | undefined> {
    const { clock } = this.parts
    let cancel: Cancel = () => undefined
    const late = new Promise<string>((resolve) => {
      cancel = clock.after(answerTimeoutMs, () => {
        resolve(`no answer within ${String(answerTimeoutMs / 1_000)} s`)
      })
    })
    const outcome = (async (): Promise<string | undefined> => {
      try {
        const verdict = await work()
        return verdict === undefined || verdict.ok ? undefined : verdict.reason
      } catch (thrown) {
        return messageOf(thrown)
      }
    })()
    const problem = await Promise.race([outcome, late])
    cancel()
    return problem
  }

  private hear(round: number, value: unknown, cause: unknown): void {
    const nowMs = this.parts.clock.monotonicMs()
    this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - this.heardMs)
    this.heardMs = nowMs
    if (this.isFlood(nowMs)) return
    this.waitForReport(round)
    const isValue = value === 'up' || value === 'down' || value === 'unknown'
    const text = String(cause).slice(0, causeCharactersMax)
    this.pass(
      round,
      isValue ? { value, cause: text } : { value: 'unknown', cause: 'it reports no value' },
    )
  }

  private pass(round: number, said: Said): void {
    const waitMs = this.saidMs + paceMs - this.parts.clock.monotonicMs()
    this.waiting = said
    if (this.cancels.has('pace')) return
    if (waitMs <= 0) this.passOn()
    else {
      this.arm('pace', waitMs, () => {
        if (round === this.round) this.passOn()
      })
    }
  }

  private passOn(): void {
    const said = this.waiting
    this.waiting = undefined
    if (said === undefined) return
    this.saidMs = this.parts.clock.monotonicMs()
    this.parts.say(said)
  }

  /** Beyond the maximum its reports are not even looked at, until the next second. */
  private isFlood(nowMs: number): boolean {
    if (nowMs - this.flood.sinceMs >= floodWindowMs) {
      this.flood = { ...this.flood, sinceMs: nowMs, reports: 0 }
    }
    this.flood.reports += 1
    if (this.flood.reports <= floodReportsMax) return false
    if (!this.flood.isNamed) {
      this.flood.isNamed = true
      const { log, name } = this.parts
      const text = `${name} reports more than ${String(floodReportsMax)} times a second; the rest is not looked at`
      log.write('warning', 'checkerFloods', { text, name })
    }
    return true
  }

  private waitForReport(round: number): void {
    const limitMs = Math.max(silenceMinMs, silenceFactor * this.longestPauseMs)
    this.arm('silence', limitMs, () => {
      const { log, name } = this.parts
      const cause = `its checker said nothing for ${String(Math.round(limitMs / 1_000))} s`
      log.write('warning', 'checkerSilent', { text: `${name}: ${cause}`, name })
      this.pass(round, { value: 'unknown', cause })
    })
  }

  private arm(which: 'retry' | 'pace' | 'silence', delayMs: number, call: () => void): void {
    this.cancel(which)
    const cancel = this.parts.clock.after(delayMs, () => {
      this.cancels.delete(which)
      call()
    })
    this.cancels.set(which, cancel)
  }

  private cancel(which: 'retry' | 'pace' | 'silence'): void {
    this.cancels.get(which)?.()
    this.cancels.delete(which)
  }
}
