/** For tests: makes a list that fails short, by leaving out what it does not need for that. */

/**
 * Halves first, then quarters, down to single items, and again from the start while something went. `items` fails; so does
 * what is returned. `fails` is asked `triesMax` times at most.
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly T[]> {
  let best = items
  let tries = 0
  for (let size = Math.ceil(best.length / 2); size >= 1;) {
    const before = best.length
    for (let at = 0; at < best.length && tries < triesMax;) {
      const fewer = [...best.slice(0, at), ...best.slice(at + size)]
      tries++
      if (await fails(fewer)) best = fewer
      else at += size
    }
    if (tries >= triesMax) break
    if (size > 1) size = Math.floor(size / 2)
    else if (best.length === before) break
  }
  return best
}
