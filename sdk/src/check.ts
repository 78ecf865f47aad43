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

/**
 * What no schema can know about the entries at `path` (`/check/tcp`): names are unique, and the action fits the phase.
 * `nameAttribute`: where the name was written.
 */
export function entryProblems(
  path: string,
  entries: readonly CheckEntry[],
  nameAttribute = 'ident',
): readonly { readonly path: string; readonly message: string }[] {
  return entries.flatMap(({ ident, when, action }, index) => {
    const place = `${path}/${String(index)}`
    const isTwice = entries.slice(0, index).some((other) => other.ident === ident)
    const message = `${nameAttribute} "${ident}" is written twice; choose another`
    const problems = isTwice ? [{ path: `${place}/${nameAttribute}`, message }] : []
    const unfit = unfitAction(when, action)
    return unfit === undefined
      ? problems
      : [...problems, { path: `${place}/action`, message: unfit }]
  })
}

/** In WAIT nothing but `pre` is watched, so nobody would ever say that the waiting is over. */
function unfitAction(when: CheckerPhase, action: CheckAction | undefined): string | undefined {
  if (action === undefined || action === 'noaction') return undefined
  if ((action === 'wait') === (when === 'pre')) return undefined
  return when === 'pre'
    ? `what is watched also in WAIT ("pre") goes with "wait" or "noaction", not "${action}"`
    : 'action "wait" needs "pre": in WAIT nothing else is watched, so it would never end'
}
