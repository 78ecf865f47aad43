/** Makes a failing history short: lines are left out as long as it still fails in the same way. */
import { hasFailed, type Ran, type SimMachine } from './machine.js'

const attemptsMax = 2_000

export async function shrink(
  machine: SimMachine,
  failed: Ran,
  how: { readonly mutant?: string | undefined; readonly profile?: string | undefined } = {},
): Promise<Ran> {
  let best = failed
  let attempts = 0
  const attempt = async (lines: readonly string[]): Promise<boolean> => {
    attempts += 1
    const ran = await machine.run({ seed: failed.seed, lines, ...how })
    if (!failsAlike(failed, ran)) return false
    best = ran
    return true
  }
  // Halves first, then quarters, down to single lines; again from the start while something went.
  for (let size = Math.ceil(best.lines.length / 2); size >= 1; size = Math.floor(size / 2)) {
    let index = 0
    while (index < best.lines.length && attempts < attemptsMax) {
      const rest = [...best.lines.slice(0, index), ...best.lines.slice(index + size)]
      if (!(await attempt(rest))) index += size
    }
  }
  return best
}

/** A broken promise stays one, and what does not heal stays what does not heal. */
function failsAlike(one: Ran, other: Ran): boolean {
  return hasFailed(other) && (one.violation === undefined) === (other.violation === undefined)
}
