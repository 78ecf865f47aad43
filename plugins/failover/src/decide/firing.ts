/** When a rule that is true acts, and whether its action means anything where this node is. */
import type { RuleAction } from '@holdfast/sdk'
import type { Rule } from '../language/rule.js'
import { find, flaps } from './resource.js'
import type { Evaluation, Place, RuleState, State } from './types.js'

/** What was up and is steady, and now is not: no need to look twice for long. */
export const quickMs = 500
/** What flaps, or was never up since it is watched: it may be about to come. */
export const slowMs = 15_000

/** An order that was refused, or that changed nothing, is given again after this time. */
export const againMs = 15_000

/** How long `evaluation` must hold without a break before the rule acts. */
export function stableTimeMs(state: State, evaluation: Evaluation, nowMs: number): number {
  if (state.handleTimeMs !== undefined) return state.handleTimeMs
  const isSteady = evaluation.because.every(({ name, value }) => {
    const resource = find(state, name)
    if (resource === undefined) return value === 'unknown'
    return (resource.wasUp || value !== 'down') && !flaps(resource, nowMs)
  })
  return isSteady ? quickMs : slowMs
}

/** The strongest first: when several rules are due, what follows from one makes the weaker ones pointless. */
const strength: readonly (RuleAction | 'set')[] = [
  'set',
  'stop',
  'wait',
  'stopstart',
  'swap',
  'restart',
]

export function strongest(rules: readonly Rule[]): Rule | undefined {
  return rules.toSorted((a, b) => strength.indexOf(actionOf(a)) - strength.indexOf(actionOf(b)))[0]
}

export function actionOf(rule: Rule): RuleAction | 'set' {
  return rule.then.kind === 'order' ? rule.then.order : 'set'
}

/** Why the action of a rule would do nothing here; undefined: it would. */
export function pointless(state: State, rule: Rule): string | undefined {
  const { place, held } = state
  const where = `${place.role} (${place.sub})`
  switch (actionOf(rule)) {
    case 'set':
      return undefined
    case 'stop':
      return place.role === 'STOP' ? `the module is ${where}` : undefined
    case 'wait':
      if (place.role === 'STOP') return `the module is ${where}`
      return held?.by === 'rule' ? `it waits already because of ${held.label}` : undefined
    case 'restart':
      return isServing(place) && isReady(place)
        ? undefined
        : `there is nothing to restart in ${where}`
    case 'stopstart':
      return (isServing(place) || place.role === 'SECOND') && isReady(place)
        ? undefined
        : `there is nothing to stop in ${where}`
    case 'swap':
      return place.role === 'PRIM' && isReady(place) ? undefined : `${where} can't be swapped`
  }
}

/** The moment from which on a rule that stays true acts; undefined: not as things are. */
export function dueMs(
  state: State,
  rule: Rule,
  ruleState: RuleState,
  nowMs: number,
): number | undefined {
  if (ruleState.truth !== 'true' || pointless(state, rule) !== undefined) return undefined
  const action = actionOf(rule)
  const { fired, sinceMs } = ruleState
  // Once for each time that it becomes true, and never faster than others: two such rules may contradict each other.
  if (action === 'set') {
    return fired === undefined ? sinceMs + stableTimeMs(state, ruleState, nowMs) : undefined
  }
  // Where nothing runs, nothing is lost by going on waiting at once.
  if (action === 'wait' && state.place.role === 'WAIT') return sinceMs + quickMs
  // To step down is right at any moment; to start again only what has started.
  const beganMs = action === 'stop' || action === 'wait' ? 0 : (state.place.readyMs ?? 0)
  const stableMs = Math.max(sinceMs, beganMs) + stableTimeMs(state, ruleState, nowMs)
  if (fired === undefined) return stableMs
  return Math.max(stableMs, fired.atMs + againMs)
}

export function isServing({ role }: Place): boolean {
  return role === 'PRIM' || role === 'ALONE' || role === 'UP'
}

function isReady({ sub }: Place): boolean {
  return sub === 'Ready'
}
