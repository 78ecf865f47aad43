/** Figures from measurements: medians, percentiles, ratios and the order of the rounds. Pure. */

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** The smallest value that at least `percent` of all values do not exceed; NaN of nothing. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  const sorted = Float64Array.from(values).sort()
  const rank = Math.ceil((percent / 100) * sorted.length)
  return sorted[Math.max(rank, 1) - 1] ?? NaN
}

/** Four digits are more than the noise leaves; whole numbers stay whole. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
}

/** The sides in the order of one round: each is first as often as the others, so that none always follows the same one. */
export function orderOfRound<T>(sides: readonly T[], round: number): readonly T[] {
  const start = sides.length === 0 ? 0 : round % sides.length
  return [...sides.slice(start), ...sides.slice(0, start)]
}
