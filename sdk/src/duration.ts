/** Durations as the operator writes them: `700ms`, `5s`, `24h`, or a bare number in the attribute's own unit. */
import { HoldfastError } from './errors.js'

export type DurationUnit = 'us' | 'ms' | 's' | 'm' | 'h' | 'd'

const microseconds: Readonly<Record<DurationUnit, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
}

/**
 * Returns `text` in `unit`, rounded to an integer. A non-zero value that rounds to 0, and anything that is
 * not a number with an optional suffix d, h, m, s, ms or us, throws E_CONFIG_DURATION.
 */
export function parseDuration(text: string, unit: DurationUnit): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)?$/.exec(text.trim())
  const suffix = (match?.[2] ?? unit) as DurationUnit // The expression allows only these.
  const value = Number(match?.[1]) * (microseconds[suffix] / microseconds[unit])
  const rounded = Math.round(value)
  if (match === null || !Number.isSafeInteger(rounded)) {
    throw new HoldfastError('E_CONFIG_DURATION', `"${text}" is not a duration`, {
      hint: `write a number with an optional suffix d, h, m, s, ms or us, for example 5s; without suffix it counts ${unit}`,
    })
  }
  if (rounded === 0 && value > 0) {
    throw new HoldfastError('E_CONFIG_DURATION', `"${text}" is less than 1${unit}`, {
      hint: `the smallest value is 1${unit}`,
    })
  }
  return rounded
}
