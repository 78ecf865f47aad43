/** Several witness servers, one answer. Pure. */
import type { Claim } from '@holdfast/sdk'

/**
 * A server grants a generation to one node only, so two nodes can't both have more than half of them. Undefined: the
 * answers that are still to come can change it.
 */
export function verdictOf(answers: readonly (Claim | undefined)[]): Claim | undefined {
  const majority = Math.floor(answers.length / 2) + 1
  const count = (wanted: Claim | undefined): number =>
    answers.filter((answer) => answer === wanted).length
  if (count('granted') >= majority) return 'granted'
  if (count('refused') >= majority) return 'refused'
  return count(undefined) === 0 ? 'unknown' : undefined
}
