/** What the elements below `<check>` have in common: a name, a phase and an action, and the rule that follows from them. */
import type { Checker, CheckerPhase, RuleAction } from './checker.js'

export type CheckAction = RuleAction | 'noaction'

export interface CheckEntry {
  readonly ident: string
  readonly when: CheckerPhase
  /** Unwritten: what is usual for the class. */
  readonly action?: CheckAction
}

/** `t_web`, and what it does; undefined for `noaction`. */
export function ruleOf(
  prefix: string,
  { ident, when, action }: CheckEntry,
  usual: CheckAction,
): Checker['rule'] {
  const chosen = action ?? (when === 'pre' ? 'wait' : usual)
  if (chosen === 'noaction') return undefined
  return { label: `${prefix}_${ident.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`, action: chosen }
}

/** What no schema can know about entries of `<check><NAME>`: names are unique, and the action fits the phase. */
export function entryProblems(
  name: string,
  entries: readonly CheckEntry[],
): readonly { readonly path: string; readonly message: string }[] {
  return entries.flatMap(({ ident, when, action }, index) => {
    const path = `/check/${name}/${String(index)}`
    const twice = entries.slice(0, index).some((other) => other.ident === ident)
    const problems = twice
      ? [{ path: `${path}/ident`, message: `ident "${ident}" is written twice; choose another` }]
      : []
    const fits =
      action === undefined || action === 'noaction' || (action === 'wait') === (when === 'pre')
    if (fits) return problems
    // In WAIT nothing but `pre` is watched, so nobody would ever say that the waiting is over.
    const message =
      when === 'pre'
        ? `when="pre" goes with action="wait" or "noaction", not "${action}"`
        : `action="wait" needs when="pre": in WAIT nothing else is watched, so it would never end`
    return [...problems, { path: `${path}/action`, message }]
  })
}
