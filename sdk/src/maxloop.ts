/** maxloop: too many interruptions of a module by checkers, rules and failures within an interval stop it for good. Pure. */

export interface LoopLimit {
  /** So many in the interval are allowed. */
  readonly maxloop: number
  /** 0: nobody counts. */
  readonly loopIntervalMs: number
}

/**
 * The wall times of the interruptions within the interval, oldest first, with one more now: what is handed in next time.
 * An operator's own order begins with none again.
 */
export function countLoop(
  loops: readonly number[],
  wallMs: number,
  { maxloop, loopIntervalMs }: LoopLimit,
): readonly number[] {
  if (loopIntervalMs === 0) return loops
  // A clock that was set back must not keep what then lies in the future for ever.
  const recent = loops.filter((at) => at > wallMs - loopIntervalMs && at <= wallMs)
  return [...recent, wallMs].slice(-(maxloop + 1))
}

/** Whether the last one was too many: the module stops. */
export function isOverMaxloop(
  loops: readonly number[],
  { maxloop, loopIntervalMs }: LoopLimit,
): boolean {
  return loopIntervalMs !== 0 && loops.length > maxloop
}
