/** Lets a repeated complaint through once a minute, so that a hostile or misconfigured neighbour cannot fill the log. */
import type { Clock, Log, LogLevel } from '@holdfast/sdk'

const periodMs = 60_000
const subjectsMax = 256

export class LogGate {
  private readonly seen = new Map<string, { untilMs: number; suppressed: number }>()

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** Writes the event unless the same event about the same subject was written within the last minute. */
  write(
    level: LogLevel,
    event: string,
    subject: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const nowMs = this.clock.monotonicMs()
    const key = `${event} ${subject}`
    const before = this.seen.get(key)
    if (before !== undefined && nowMs < before.untilMs) {
      before.suppressed++
      return
    }
    if (before === undefined && this.seen.size >= subjectsMax && !this.forgetOld(nowMs)) return
    const repeated = before?.suppressed ?? 0
    this.seen.set(key, { untilMs: nowMs + periodMs, suppressed: 0 })
    this.log.write(level, event, repeated === 0 ? fields : { ...fields, repeated })
  }

  private forgetOld(nowMs: number): boolean {
    for (const [key, { untilMs }] of this.seen) if (untilMs <= nowMs) this.seen.delete(key)
    return this.seen.size < subjectsMax
  }
}
