/** Tells a stranger why a rule acted or did not, and what would happen next. Pure. */
import type { ModuleState } from '@holdfast/sdk'
import { dueMs, pointless, stableTimeMs, actionOf } from './decide/firing.js'
import { find } from './decide/resource.js'
import { wakeupMs } from './decide/rules.js'
import type { Input, PastAction, RuleState, State } from './decide/types.js'
import { type Rule, wakeupLabel } from './language/rule.js'

export interface Now {
  readonly nowMs: number
  readonly wallMs: number
}

export interface Explained {
  readonly label: string
  readonly rule: string
  readonly origin: string
  readonly truth: string
  /** The sentence. */
  readonly why: string
  readonly inputs: readonly {
    readonly name: string
    readonly value: string
    readonly sinceMs: number | undefined
    readonly cause: string | undefined
  }[]
}

export function explain(state: State, now: Now): readonly Explained[] {
  return [...state.rules.map((rule) => explainRule(state, rule, now)), explainWakeup(state, now)]
}

/** `checker off`, wherever it is told. */
export const switchedOff =
  'Checkers are switched off: nobody looks and no rule acts until "holdfast checker on"'

/** Where the module is, and why: what somebody wants to have explained. */
export function headOf(
  { enabled }: Pick<State, 'enabled'>,
  { role, sub, cause }: Pick<ModuleState, 'role' | 'sub' | 'cause'>,
): readonly string[] {
  return [`The module is ${role} (${sub}): ${cause}`, ...(enabled ? [] : [`${switchedOff}.`])]
}

export function linesOf(explained: readonly Explained[], now: Now): readonly string[] {
  return explained.flatMap(({ rule, origin, why, inputs }) => [
    `${rule}   [${origin}]`,
    `  ${why}`,
    ...inputs.map(({ name, value, sinceMs, cause }) => {
      const since = sinceMs === undefined ? '' : ` for ${span(now.wallMs - sinceMs)}`
      return `    ${name} = ${value}${since}${cause === undefined ? '' : `: ${cause}`}`
    }),
  ])
}

/** What rules did, the newest first. */
export function pastLinesOf(state: State, { wallMs }: Now): readonly string[] {
  if (state.past.length === 0) return ['No rule has acted since this machine was started.']
  const lines = state.past.toReversed().map(({ action, cause, atWallMs, verdict }, index) => {
    const when = `${new Date(atWallMs).toISOString()}, ${span(wallMs - atWallMs)} ago`
    const isOpen = index === 0 && state.ordering !== undefined
    return `  ${when}: ${action}()${answerOf(verdict, isOpen)}, because: ${cause}`
  })
  return ['What rules did, the newest first:', ...lines]
}

function answerOf(verdict: PastAction['verdict'], isOpen: boolean): string {
  if (verdict === undefined) return isOpen ? ' (not answered yet)' : ' (never answered)'
  return verdict.ok ? '' : ` (refused: ${verdict.reason})`
}

function explainRule(state: State, rule: Rule, now: Now): Explained {
  const ruleState = state.ruleStates.get(rule.label)
  return {
    label: rule.label,
    rule: rule.text,
    origin: rule.origin,
    truth: ruleState?.truth ?? 'open',
    why:
      ruleState === undefined
        ? 'not looked at: the module is stopped'
        : reason(state, rule, ruleState, now),
    inputs: (ruleState?.because ?? []).map((input) => inputOf(state, input)),
  }
}

function reason(state: State, rule: Rule, ruleState: RuleState, now: Now): string {
  const action = `${actionOf(rule)}()`
  const { truth, because, fired, sinceMs } = ruleState
  if (state.place.role === 'STOP') return 'does nothing: the module is stopped'
  if (truth === 'open') return openReason(state, because, action)
  const stable = span(stableTimeMs(state, ruleState, now.nowMs))
  if (truth === 'false') {
    return because.length === 0
      ? `false: no resource of this class is watched`
      : `false; if it becomes true, ${action} follows when it stayed true for ${stable}`
  }
  const length = span(now.nowMs - sinceMs)
  const acted =
    fired === undefined ? '' : firedText(fired.verdict, action, now.wallMs - fired.atWallMs)
  const blocked = pointless(state, rule)
  if (blocked !== undefined) {
    return acted === '' ? `true for ${length}, but ${action} does nothing: ${blocked}` : acted
  }
  const next = dueMs(state, rule, ruleState, now.nowMs)
  const follows =
    next === undefined ? '' : `${action} follows in ${span(Math.max(0, next - now.nowMs))}`
  return [acted, acted === '' ? `true for ${length} (must stay true for ${stable})` : '', follows]
    .filter((part) => part !== '')
    .join('; ')
}

function firedText(
  verdict: { readonly ok: true } | { readonly ok: false; readonly reason: string } | undefined,
  action: string,
  agoMs: number,
): string {
  const when = `${span(agoMs)} ago`
  if (verdict === undefined) return `true: ${action} was ordered ${when} and is not answered yet`
  return verdict.ok
    ? `true: ${action} was ordered ${when}`
    : `true: ${action} was refused ${when}: ${verdict.reason}`
}

function openReason(state: State, because: readonly Input[], action: string): string {
  const names = because.map(({ name }) => name)
  const unwatched = names.filter((name) => find(state, name) === undefined)
  if (unwatched.length > 0) return `not decided: nobody watches ${unwatched.join(', ')}`
  const first = state.held?.by === 'look' ? '; the module waits for the first look' : ''
  return `not decided, so no ${action}: ${names.join(', ')} was not looked at yet${first}`
}

function explainWakeup(state: State, now: Now): Explained {
  const dueAtMs = wakeupMs(state, now.nowMs)
  const { held } = state
  const why =
    held === undefined
      ? 'no rule has told this module to wait'
      : dueAtMs === undefined
        ? `the module waits because of ${held.label}; wakeup() follows when no rule asks to wait`
        : `wakeup() follows in ${span(Math.max(0, dueAtMs - now.nowMs))}`
  const rule = `${wakeupLabel}: no rule with wait() is true: wakeup();`
  const truth = held !== undefined && dueAtMs !== undefined ? 'true' : 'false'
  return { label: wakeupLabel, rule, origin: 'default', truth, why, inputs: [] }
}

function inputOf(state: State, input: Input): Explained['inputs'][number] {
  const resource = find(state, input.name)
  return { ...input, sinceMs: resource?.sinceWallMs, cause: resource?.cause }
}

/** `0.4s`, `12s`, `3m 20s`, `5h 1m`, `2d 3h`. */
export function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 10) return `${String(Math.round(seconds * 10) / 10)}s`
  const whole = Math.round(seconds)
  const units: readonly [string, number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ]
  let rest = whole
  const parts = units.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? [] : [`${String(count)}${unit}`]
  })
  return parts.slice(0, 2).join(' ')
}
