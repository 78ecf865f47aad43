/** Whether a node still does its duty for a module that it serves. Pure. */

export interface Duty {
  readonly module: string
  /** When the topology was asked whether it still decides, and has not answered; undefined: nothing is open. */
  readonly askedMs: number | undefined
  readonly hangMs: number
  /** Why what may run here must have ended by now. */
  readonly overdue: string | undefined
}

/** Why the device must not be fed, or undefined. One module that is neglected is enough: a machine has one power switch. */
export function neglect(duties: readonly Duty[], nowMs: number): string | undefined {
  for (const { module, askedMs, hangMs, overdue } of duties) {
    if (overdue !== undefined) {
      return `module ${module} may not run here any more (${overdue}) and has not stopped yet`
    }
    if (askedMs === undefined) continue
    const waitedMs = nowMs - askedMs
    if (waitedMs < hangMs) continue
    return `module ${module} is served and has decided nothing for ${String(Math.floor(waitedMs / 1_000))} s`
  }
  return undefined
}
