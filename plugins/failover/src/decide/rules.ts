/** From rules that are due to orders: at most one order at a time, `wait` until nothing asks for it any more. */
import { causeOfRule } from '@holdfast/sdk'
import { actionOf, dueMs, quickMs, slowMs, strongest } from './firing.js'
import { withAction } from './past.js'
import { changed, find, flaps } from './resource.js'
import { wakeupLabel } from '../language/rule.js'
import type { Rule } from '../language/rule.js'
import type { Action, Event, Input, RuleState, State, Step } from './types.js'

export function applyRules(state: State, event: Event): Step {
  if (state.ordering !== undefined || state.place.role === 'STOP')
    return { next: state, actions: [] }
  if (!state.enabled)
    return state.held === undefined ? { next: state, actions: [] } : wakeUp(state, event)
  const { settlingUntilMs: settlingMs = 0 } = state
  if (settlingMs > event.nowMs) {
    return { next: state, actions: [{ kind: 'arm', delayMs: settlingMs - event.nowMs }] }
  }
  const due = state.rules.filter(
    (rule) => (timeOf(state, rule, event.nowMs) ?? Infinity) <= event.nowMs,
  )
  const rule = strongest(due)
  if (rule !== undefined) return fire(state, rule, event)
  const look = firstLook(state, event)
  if (look !== undefined) return look
  const wakeMs = wakeupMs(state, event.nowMs)
  if (wakeMs !== undefined && wakeMs <= event.nowMs) return wakeUp(state, event)
  return { next: state, actions: armed(state, wakeMs, event.nowMs) }
}

function timeOf(state: State, rule: Rule, nowMs: number): number | undefined {
  const ruleState = state.ruleStates.get(rule.label)
  return ruleState === undefined ? undefined : dueMs(state, rule, ruleState, nowMs)
}

/** The next moment at which something becomes due without a further event. */
function armed(state: State, wakeMs: number | undefined, nowMs: number): readonly Action[] {
  const times = state.rules.map((rule) => timeOf(state, rule, nowMs))
  const next = Math.min(...[...times, wakeMs].filter((time) => time !== undefined))
  return next === Infinity ? [] : [{ kind: 'arm', delayMs: Math.max(1, Math.ceil(next - nowMs)) }]
}

function fire(state: State, rule: Rule, event: Event): Step {
  const { nowMs, wallMs } = event
  const { label, then } = rule
  const before = state.ruleStates.get(label)
  if (before === undefined) return { next: state, actions: [] }
  const cause = causeOfRule(label, because(state, before))
  const mark = (verdict: { readonly ok: true } | undefined): ReadonlyMap<string, RuleState> =>
    new Map([
      ...state.ruleStates,
      [label, { ...before, fired: { atMs: nowMs, atWallMs: wallMs, verdict } }],
    ])
  const action = { label, action: actionOf(rule), cause, atWallMs: wallMs }
  const fields = { text: `${cause}; ${action.action}`, rule: label, action: action.action }
  const note: Action = { kind: 'note', level: 'event', event: 'ruleFired', fields }
  if (then.kind === 'set') {
    const report = { ...then, cause, by: `rule ${label}` }
    const local = new Map(state.local)
    local.set(then.name, changed(local.get(then.name), report, event))
    const again: Action = { kind: 'arm', delayMs: 1 }
    const past = withAction(state.past, action, { ok: true })
    return {
      next: { ...state, local, past, ruleStates: mark({ ok: true }) },
      actions: [note, again],
    }
  }
  const held = then.order === 'wait' ? ({ by: 'rule', label } as const) : state.held
  return {
    next: {
      ...state,
      held,
      ordering: label,
      past: withAction(state.past, action),
      ruleStates: mark(undefined),
    },
    actions: [note, { kind: 'order', label, command: then.order, cause, ...routineOf(then) }],
  }
}

function routineOf({ routine }: { readonly routine?: boolean }): { readonly routine?: true } {
  return routine === true ? { routine } : {}
}

/** `tcp.web is down (connection refused)`. */
function because(state: State, { because: inputs }: RuleState): string {
  const parts = inputs.slice(0, 3).map(({ name, value }) => {
    const cause = find(state, name)?.cause
    return `${name} is ${value}${cause === undefined ? '' : ` (${cause})`}`
  })
  return [...parts, ...(inputs.length > 3 ? [`and ${String(inputs.length - 3)} more`] : [])].join(
    ', ',
  )
}

/** A module that begins waits for the first look of what could tell it to wait. */
function firstLook(state: State, { wallMs }: Event): Step | undefined {
  if (state.place.role !== 'WAIT' || state.held !== undefined) return undefined
  const missing = missingLooks(state)[0]
  if (missing === undefined) return undefined
  const label = missing.rule.label
  const cause = `waits for the first look at ${missing.inputs.map(({ name }) => name).join(', ')}`
  return {
    next: {
      ...state,
      held: { by: 'look', label },
      ordering: label,
      past: withAction(state.past, { label, action: 'wait', cause, atWallMs: wallMs }),
    },
    // What the operator demanded meanwhile is still wanted when it was looked at.
    actions: [{ kind: 'order', label, command: 'wait', cause, routine: true }],
  }
}

function missingLooks(
  state: State,
): readonly { readonly rule: Rule; readonly inputs: readonly Input[] }[] {
  return state.rules.flatMap((rule) => {
    const ruleState = state.ruleStates.get(rule.label)
    if (actionOf(rule) !== 'wait' || ruleState?.truth !== 'open') return []
    const inputs = ruleState.because.filter(({ name }) => state.awaited.has(name))
    return inputs.length === 0 ? [] : [{ rule, inputs }]
  })
}

/** The moment from which on nothing asks for `wait` any more; undefined: something does, or nothing ever did. */
export function wakeupMs(state: State, nowMs: number): number | undefined {
  if (state.held === undefined || missingLooks(state).length > 0) return undefined
  const waits = state.rules.flatMap((rule) => {
    const ruleState = state.ruleStates.get(rule.label)
    return actionOf(rule) === 'wait' && ruleState !== undefined ? [ruleState] : []
  })
  if (waits.some(({ truth }) => truth === 'true')) return undefined
  // Nobody had said that anything is wrong: there is nothing to be careful about.
  if (state.held.by === 'look') return nowMs
  const inputs = waits.flatMap(({ because: own }) => own)
  const restless = inputs.some(({ name }) => {
    const resource = find(state, name)
    return resource !== undefined && flaps(resource, nowMs)
  })
  const stableMs = state.handleTimeMs ?? (restless ? slowMs : quickMs)
  return Math.max(...waits.map(({ sinceMs }) => sinceMs)) + stableMs
}

function wakeUp(state: State, { wallMs }: Event): Step {
  const cause = 'no rule asks to wait any more'
  const fields = { text: cause, rule: wakeupLabel, action: 'wakeup' }
  return {
    next: {
      ...state,
      held: undefined,
      ordering: wakeupLabel,
      past: withAction(state.past, {
        label: wakeupLabel,
        action: 'wakeup',
        cause,
        atWallMs: wallMs,
      }),
    },
    actions: [
      { kind: 'note', level: 'event', event: 'ruleFired', fields },
      { kind: 'order', label: wakeupLabel, command: 'wakeup', cause },
    ],
  }
}
