/** Makes a failing history short: lines are left out as long as it still fails in the same way. */
import { hasFailed, type HistoryOptions, type Outcome, runHistory } from './history.js'

const attemptsMax = 2_000

export function shrink(failed: Outcome, mutation?: HistoryOptions['mutation']): Outcome {
  let best = failed
  let attempts = 0
  const attempt = (lines: readonly string[]): boolean => {
    attempts += 1
    const options = mutation === undefined ? {} : { mutation }
    const outcome = runHistory({ seed: failed.seed, lines, ...options })
    if (!failsAlike(failed, outcome)) return false
    best = outcome
    return true
  }
  // Halves first, then quarters, down to single lines; again from the start while something went.
  for (let size = Math.ceil(best.lines.length / 2); size >= 1; size = Math.floor(size / 2)) {
    let index = 0
    while (index < best.lines.length && attempts < attemptsMax) {
      const rest = [...best.lines.slice(0, index), ...best.lines.slice(index + size)]
      if (!attempt(rest)) index += size
    }
  }
  return best
}

/** A broken promise stays one, and a pair that does not heal stays one that does not heal. */
function failsAlike(one: Outcome, other: Outcome): boolean {
  return hasFailed(other) && (one.violation === undefined) === (other.violation === undefined)
}
