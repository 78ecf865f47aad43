/**
 * Is a node that is not in control any more ended before the other one takes over? Pure; asked by `module config`.
 *
 * Let the primary stand still at the moment 0: its daemon hangs, starves or was stopped by a signal, its application goes
 * on. It sends no heartbeat after 0, and the last one at most a pulse before, so the other node
 *
 *     takes over at the earliest at   timeout − jitter   (a witness may answer at once: it adds nothing that counts)
 *
 * It feeds its watchdog no more after 0 either, so its machine
 *
 *     is reset at the latest at       watchdog
 *
 * and the application runs once only if `timeout > watchdog + jitter`. Without a watchdog nothing ends it but itself.
 */
import type { Delays } from '@holdfast/sdk'

/**
 * A heartbeat that was lost, its interval (250 ms unless cluster.xml says otherwise), and what a busy machine is late with
 * its timers. Who writes a `pulse` above 500 ms must lengthen the time-out by as much.
 */
export const jitterMs = 1_000

export interface TimingFinding {
  readonly level: 'error' | 'warning'
  readonly message: string
}

export function checkTiming(
  timeoutMs: number,
  { watchdogMs, watchdogRequired }: Delays,
): TimingFinding | undefined {
  if (watchdogMs === undefined) return { level: 'warning', message: withoutWatchdog }
  const neededMs = watchdogMs + jitterMs
  if (timeoutMs > neededMs) return undefined
  const message =
    `the other node takes over ${seconds(timeoutMs)} after the last heartbeat (<heart timeout>), but a node that stands still is reset only ` +
    `${seconds(neededMs)} after it: ${seconds(watchdogMs)} (<watchdog timeout>) + ${seconds(jitterMs)} (heartbeat interval and lateness). ` +
    `The application could run on both. Write a longer <heart timeout> or a shorter <watchdog timeout>`
  return { level: watchdogRequired === true ? 'error' : 'warning', message }
}

const withoutWatchdog =
  'there is no watchdog: when the primary stands still for longer than this (its daemon hangs, the machine starves) and then goes on, the application runs on both nodes until it notices. ' +
  'Covered are crashes, power cuts and dead processes, and cut cables with a witness. Write <watchdog mode="required"/> to cover it'

function seconds(ms: number): string {
  return `${String(ms / 1_000)} s`
}
