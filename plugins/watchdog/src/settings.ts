/** `<watchdog>` as the schema in plugin.json lets it through, and what follows from it. Pure. */
import type { Delays } from '@holdfast/sdk'

export interface WatchdogSettings {
  readonly watchdog: {
    readonly mode: 'off' | 'auto' | 'required'
    readonly device: string
    /** Seconds. */
    readonly timeout: number
    /** Seconds. */
    readonly hang: number
  }
}

/** The device is fed five times in its time-out, so that one or two late moments of a busy machine reset nothing. */
export function feedingPeriodMs(timeoutSeconds: number): number {
  return (timeoutSeconds * 1_000) / 5
}

/** Seldom enough to cost nothing; a right that was lost is known soon after. */
export function askingPeriodMs(timeoutSeconds: number): number {
  return Math.min(feedingPeriodMs(timeoutSeconds), 500)
}

/** A daemon that stands still feeds no more: the time-out began at its last feeding, at the latest when it stopped. */
export function delays({ watchdog }: WatchdogSettings): Delays {
  if (watchdog.mode === 'off') return {}
  return { watchdogMs: watchdog.timeout * 1_000, watchdogRequired: watchdog.mode === 'required' }
}
