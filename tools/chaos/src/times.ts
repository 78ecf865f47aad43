/** The times of a pair under test, which have to fit each other. Pure. */

export interface Times {
  /** `<heart timeout>`: silence after which a node counts as lost. */
  readonly timeoutMs: number
  /** `<watchdog timeout>`, required; undefined: the nodes have none. */
  readonly watchdogSeconds: number | undefined
  /** Attributes of `<service>`; empty: the defaults. */
  readonly service: string
  /** By how much the times of the table of kinds are multiplied. */
  readonly stretch: number
}

/** With a watchdog: short, so that a take-over takes no longer than it must. */
const rightTimeoutMs = 1_500
/** What two nodes can differ in noticing the same silence, as `module config` counts it. */
const jitterMs = 1_000
/** The longest faults of the table last a bit longer than a take-over of so many milliseconds. */
const tableTakeoverMs = 2_500

/**
 * With a watchdog, the other node waits until a primary without the right has asked for it in vain, noticed late, and was ended by its
 * watchdog; faults last long enough for that. Without one they are over before the default delay of a take-over is.
 */
export function timesOf(timeoutMs: number, watchdogSeconds: number | undefined): Times {
  if (watchdogSeconds === undefined) {
    return { timeoutMs, watchdogSeconds, service: '', stretch: timeoutMs / 1_000 }
  }
  const takeoverDelayMs = rightTimeoutMs + jitterMs + watchdogSeconds * 1_000
  return {
    timeoutMs,
    watchdogSeconds,
    service: `right_timeout="${String(rightTimeoutMs)}ms" takeover_delay="${String(takeoverDelayMs)}ms"`,
    stretch: (timeoutMs + takeoverDelayMs) / tableTakeoverMs,
  }
}
