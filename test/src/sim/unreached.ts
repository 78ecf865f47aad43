/**
 * What a sweep is known not to reach, and why: `unreached.txt`, a line a reason. A sweep that leaves out something else has
 * become blind for it; a reason for what is reached is out of date.
 */
import { readFileSync } from 'node:fs'
import { HoldfastError } from '@holdfast/sdk'

export interface Reason {
  readonly line: number
  readonly machine: string
  /** A transition; `*` stands for anything. */
  readonly pattern: string
  /** Some sweeps reach it. */
  readonly isRare: boolean
  readonly why: string
}

const file = new URL('../../src/sim/unreached.txt', import.meta.url)
const rare = 'rare: '

export function reasonsOf(machine: string): readonly Reason[] {
  return parseReasons(readFileSync(file, 'utf8')).filter((one) => one.machine === machine)
}

/** Throws E_SIM_FILE with the number of the line that is none. */
export function parseReasons(text: string): readonly Reason[] {
  return text.split('\n').flatMap((raw, index) => {
    if (raw.trim() === '' || raw.startsWith('#')) return []
    const [machine = '', pattern = '', why = '', more] = raw.split('|').map((part) => part.trim())
    const isRare = why.startsWith(rare)
    if (why === '' || more !== undefined) {
      throw new HoldfastError('E_SIM_FILE', `unreached.txt line ${index + 1}: "${raw}"`, {
        hint: `expected "machine | transition | reason" or "machine | transition | ${rare}reason"`,
      })
    }
    const reason = isRare ? why.slice(rare.length) : why
    return [{ line: index + 1, machine, pattern, isRare, why: reason }]
  })
}

/** Why a sweep did not reach it, if that is known. */
export function reasonFor(reasons: readonly Reason[], transition: string): Reason | undefined {
  return reasons.find(({ pattern }) => matches(pattern, transition))
}

/** What is wrong with a standard sweep that left out `unreached` of all transitions, or with the reasons. */
export function complaintsOf(
  transitions: readonly string[],
  unreached: readonly string[],
  reasons: readonly Reason[],
): readonly string[] {
  const missing = unreached
    .filter((transition) => reasonFor(reasons, transition) === undefined)
    .map((transition) => `not reached, and no reason why: ${transition}`)
  const outdated = reasons.flatMap(({ line, pattern, isRare }) => {
    const meant = transitions.filter((transition) => matches(pattern, transition))
    if (meant.length === 0) return [`line ${line} names no transition: ${pattern}`]
    const reached = isRare ? [] : meant.filter((transition) => !unreached.includes(transition))
    return reached.map((transition) => `line ${line} says that it is not reached: ${transition}`)
  })
  return [...missing, ...outdated]
}

function matches(pattern: string, transition: string): boolean {
  const parts = pattern.split('*')
  const [first = ''] = parts
  if (parts.length === 1) return pattern === transition
  if (!transition.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = transition.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  const last = parts.at(-1) ?? ''
  return transition.endsWith(last) && transition.length - last.length >= at
}
