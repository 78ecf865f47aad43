/** What rules did: the last orders with time, cause and answer, for whoever asks later why. */
import type { Verdict } from '@holdfast/sdk'
import type { PastAction } from './types.js'

export const pastMax = 20

export function withAction(
  past: readonly PastAction[],
  action: Omit<PastAction, 'verdict'>,
  verdict?: Verdict,
): readonly PastAction[] {
  return [...past, { ...action, verdict }].slice(-pastMax)
}

/** The answer belongs to the newest order of this rule: there is only one at a time. */
export function withAnswer(
  past: readonly PastAction[],
  label: string,
  verdict: Verdict,
): readonly PastAction[] {
  const index = past.findLastIndex((one) => one.label === label)
  return past.map((one, at) => (at === index ? { ...one, verdict } : one))
}
