/**
 * Has a node that may not serve any more stopped, or was its machine ended, before the other one begins? Pure; asked by
 * `module config`. docs/MIRROR.md draws it.
 *
 * The primary is heard for the last time at the moment 0. The other node begins at the earliest
 *
 *     with a witness, which may answer at once      timeout − jitter + takeover_delay
 *     without one, isolation="alone"                timeout − jitter
 *     without one, isolation="wait"                 never: an operator says "prim", and there is nothing to check
 *
 * 1. The primary stands still: its application may go on, its watchdog is not fed any more. It is reset at `watchdog`.
 * 2. The primary is cut off, and the witness refuses it or does not answer (that is only asked where there is one). It
 *    notices that at `timeout`, or when the replication link is lost if that lasts longer, and may ask for `right_timeout`.
 *    Then it stops its application, and does not feed its watchdog until that has ended: it is down after the longest stop
 *    of its scripts, and in any case, also when that fails or hangs, `watchdog` later.
 *
 * With a witness the second sum is always the longer one, so it is the only one that is compared.
 */
import type { Delays } from '@holdfast/sdk'

/**
 * What two nodes can differ in noticing the same silence: a heartbeat that was lost, its interval (250 ms unless
 * cluster.xml says otherwise), and what a busy machine is late with its timers. Who writes a `pulse` above 500 ms must
 * lengthen the time-outs by as much.
 */
export const jitterMs = 1_000

export interface Times {
  readonly hasWitness: boolean
  readonly isolation: 'alone' | 'wait'
  readonly timeoutMs: number
  readonly rightTimeoutMs: number
  readonly takeoverDelayMs: number
}

export interface TimingFinding {
  readonly level: 'error' | 'warning'
  readonly path: '/heart/timeout' | '/service/takeover_delay'
  readonly message: string
}

export function checkTiming(times: Times, delays: Delays): TimingFinding | undefined {
  if (times.hasWitness) return withWitness(times, delays)
  return times.isolation === 'alone' ? withoutWitness(times, delays) : undefined
}

interface Part {
  readonly ms: number
  readonly what: string
}

const jitter: Part = { ms: jitterMs, what: 'what two nodes can differ in noticing' }

function withWitness(times: Times, delays: Delays): TimingFinding | undefined {
  const { timeoutMs, rightTimeoutMs, takeoverDelayMs } = times
  const { watchdogMs, watchdogRequired, linkMs = 0 } = delays
  const path = '/service/takeover_delay'
  const asking: readonly Part[] = [
    { ms: rightTimeoutMs, what: 'right_timeout, in which it asks the witness' },
    { ms: Math.max(0, linkMs - timeoutMs), what: '<rfs timeout> beyond <heart timeout>' },
    jitter,
  ]
  const begins = `the other node begins ${seconds(takeoverDelayMs)} after it noticed the silence (takeover_delay)`
  if (takeoverDelayMs < sumOf(asking)) {
    const message = `${begins}, but a primary that may not go on begins to stop only ${explained(asking)}. Write takeover_delay="${written(sumOf(asking))}" at least, and the time that your application needs to stop on top`
    return { level: 'error', path, message: message }
  }
  if (watchdogMs === undefined) {
    const restMs = takeoverDelayMs - sumOf(asking)
    const still = timeoutMs - jitterMs + takeoverDelayMs
    return { level: 'warning', path, message: noWatchdog(still, { restMs, ...delays }) }
  }
  const parts = [
    ...asking,
    { ms: watchdogMs, what: '<watchdog timeout>, the time that it has to stop its application' },
  ]
  if (takeoverDelayMs >= sumOf(parts)) return undefined
  const message = `${begins}, but a primary that may not go on is down only ${explained(parts)}. The application could run on both. Write takeover_delay="${written(sumOf(parts))}" at least, or shorter times`
  return { level: levelOf(watchdogRequired), path, message: message }
}

function withoutWitness({ timeoutMs }: Times, delays: Delays): TimingFinding | undefined {
  const { watchdogMs, watchdogRequired } = delays
  const path = '/heart/timeout'
  if (watchdogMs === undefined) {
    return { level: 'warning', path, message: noWatchdog(timeoutMs - jitterMs) }
  }
  const parts = [{ ms: watchdogMs, what: '<watchdog timeout>' }, jitter]
  if (timeoutMs > sumOf(parts)) return undefined
  const message = `the other node takes over ${seconds(timeoutMs)} after the last heartbeat (<heart timeout>), but a node that stands still is reset only ${explained(parts)}. The application could run on both. Write a longer <heart timeout> or a shorter <watchdog timeout>`
  return { level: levelOf(watchdogRequired), path, message }
}

/** `stop`: with a witness, what is left of the delay for the stop of the application, and what it may take. */
function noWatchdog(stillMs: number, stop?: { restMs: number; stopMs?: number }): string {
  const still = `stands still for longer than ${seconds(stillMs)} (its daemon hangs, the machine starves) and then goes on`
  const mayTake =
    stop?.stopMs === undefined ? '' : `, and its stop scripts may take ${seconds(stop.stopMs)}`
  const slow =
    stop === undefined || (stop.stopMs ?? Infinity) <= stop.restMs
      ? ''
      : `, or can reach neither the other node nor the witness and needs longer than ${seconds(stop.restMs)} to stop its application (takeover_delay leaves no more${mayTake})`
  return `there is no watchdog: when the primary ${still}${slow}, the application runs on both nodes for a while. Covered are crashes, power cuts and dead processes${stop === undefined ? '' : ', and cut cables'}. Write <watchdog mode="required"/> to cover it`
}

function levelOf(isRequired: boolean | undefined): TimingFinding['level'] {
  return isRequired === true ? 'error' : 'warning'
}

function sumOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { ms }) => sum + ms, 0)
}

/** `14 s after it: 3 s (right_timeout …) + 10 s (<watchdog timeout> …) + 1 s (…)` */
function explained(parts: readonly Part[]): string {
  const shown = parts.filter(({ ms }) => ms > 0).map(({ ms, what }) => `${seconds(ms)} (${what})`)
  return `${seconds(sumOf(parts))} after it: ${shown.join(' + ')}`
}

function seconds(ms: number): string {
  return `${String(ms / 1_000)} s`
}

/** As the value of an attribute. */
function written(ms: number): string {
  return ms % 1_000 === 0 ? `${String(ms / 1_000)}s` : `${String(ms)}ms`
}
