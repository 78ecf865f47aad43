/**
 * The failover machine: values of resources in, orders to the module out. Each event first changes what is known; then
 * the checkers that belong to the module's state are watched, and every rule is looked at again.
 */
import { assertNever, type CheckerPhase, type Machine, type ResourceValue } from '@holdfast/sdk'
import { evaluate } from './evaluate.js'
import { actionOf, againMs, isServing } from './firing.js'
import { wakeupLabel } from '../language/rule.js'
import { withAnswer } from './past.js'
import { changed, flaps, inNewRole, resourcesMax, steadyChangesMax, toldBy } from './resource.js'
import { applyRules } from './rules.js'
import type { Action, Event, Place, Report, Resource, RuleState, State, Step } from './types.js'

export const nothingKnown: State = {
  handleTimeMs: undefined,
  rules: [],
  checkers: new Map(),
  enabled: true,
  watching: new Set(),
  awaited: new Set(),
  place: { role: 'STOP', sub: 'NotReady', readyMs: undefined },
  local: new Map(),
  remote: undefined,
  ruleStates: new Map(),
  held: undefined,
  past: [],
  ordering: undefined,
  settlingUntilMs: undefined,
}

export function failoverMachine(initial: State): Machine<State, Event, Action> {
  return { initial, step }
}

export function step(state: State, event: Event): Step {
  const known = onFact(state, event)
  const watched = applyPhases(known.next, event)
  const judged = judge(watched.next, event)
  const ruled = applyRules(judged, event)
  return { next: ruled.next, actions: [...known.actions, ...watched.actions, ...ruled.actions] }
}

function onFact(state: State, event: Event): Step {
  const { fact } = event
  switch (fact.kind) {
    case 'reported':
      return onReports(state, fact.reports, event)
    case 'moduleChanged':
      return stay(onModule(state, fact, event.nowMs))
    case 'remoteTold':
      return stay({ ...state, remote: toldBy(state.remote, fact.values, event) })
    case 'remoteLost':
      return stay({ ...state, remote: undefined })
    case 'rulesChanged': {
      const watching = without(state.watching, fact.replaced)
      return stay({ ...state, rules: fact.rules, checkers: fact.checkers, watching })
    }
    case 'switched':
      return stay({ ...state, enabled: fact.enabled })
    case 'answered':
      return onAnswer(state, fact, event.nowMs)
    case 'timeUp':
      return stay(state)
    default:
      return assertNever(fact)
  }
}

function onReports(state: State, reports: readonly Report[], event: Event): Step {
  const local = new Map(state.local)
  const awaited = new Set(state.awaited)
  const actions: Action[] = []
  for (const report of reports) {
    const { name } = report
    const before = local.get(name)
    const isLate = report.by === 'checker' && !state.watching.has(name)
    const isFull = before === undefined && local.size >= resourcesMax
    if (isLate || isFull) continue
    if (report.by === 'checker') awaited.delete(name)
    const resource = changed(before, report, event)
    local.set(name, resource)
    if (before?.value !== report.value) {
      actions.push(...noteChange(before?.value ?? 'init', resource, event.nowMs))
    }
  }
  return { next: { ...state, local, awaited }, actions }
}

/** A resource that flaps is named once, not written down a hundred times. */
function noteChange(from: ResourceValue, resource: Resource, nowMs: number): readonly Action[] {
  const { name, value, cause } = resource
  if (!flaps(resource, nowMs)) {
    const text = `${name} is ${value}: ${cause}`
    const level = value === 'init' || from === 'init' ? 'info' : 'event'
    return [{ kind: 'note', level, event: 'resourceChanged', fields: { text, name, from, value } }]
  }
  if (resource.changesMs.length !== steadyChangesMax + 1) return []
  const text = `${name} changes again and again; rules wait longer for it, and its further changes stand only in its history`
  return [{ kind: 'note', level: 'warning', event: 'resourceFlaps', fields: { text, name } }]
}

function onModule(state: State, told: Pick<Place, 'role' | 'sub'>, nowMs: number): State {
  const before = state.place
  const goesOn = before.role === told.role && before.readyMs !== undefined
  const readyMs = told.sub !== 'Ready' ? undefined : goesOn ? before.readyMs : nowMs
  const place = { role: told.role, sub: told.sub, readyMs }
  const moved = before.role !== told.role || before.sub !== told.sub
  const settlingUntilMs = moved ? undefined : state.settlingUntilMs
  const local = before.role === told.role ? state.local : inNewRole(state.local)
  // A daemon that begins has not heard yet of what runs.
  const hasStopped = told.role === 'STOP' && before.role !== 'STOP'
  if (!hasStopped) return { ...state, place, local, settlingUntilMs }
  // Whoever stops the module ends what rules asked of it.
  return { ...state, place, local, settlingUntilMs, held: undefined, ruleStates: new Map() }
}

function onAnswer(
  state: State,
  { label, verdict }: Extract<Event['fact'], { kind: 'answered' }>,
  nowMs: number,
): Step {
  if (state.ordering !== label) return stay(state)
  const before = state.ruleStates.get(label)
  const ruleStates = new Map(state.ruleStates)
  if (before?.fired !== undefined) {
    ruleStates.set(label, { ...before, fired: { ...before.fired, verdict } })
  }
  const past = withAnswer(state.past, label, verdict)
  const next = { ...state, ordering: undefined, ruleStates, past }
  if (verdict.ok) {
    const rule = state.rules.find((one) => one.label === label)
    const moves = rule !== undefined && actionOf(rule) !== 'wait'
    return stay(moves ? { ...next, settlingUntilMs: nowMs + againMs } : next)
  }
  const isRule = state.rules.some((rule) => rule.label === label) && state.held?.by !== 'look'
  // A rule that was refused is due again later by itself; a first look and the end of a wait are not.
  const settlingUntilMs = isRule ? undefined : nowMs + againMs
  const held =
    label === wakeupLabel
      ? ({ by: 'look', label } as const)
      : state.held?.label === label
        ? undefined
        : state.held
  const fields = { text: `rule ${label}: ${verdict.reason}`, rule: label, code: verdict.code }
  const note: Action = { kind: 'note', level: 'warning', event: 'ruleRefused', fields }
  return { next: { ...next, held, settlingUntilMs }, actions: [note] }
}

/** Begins and ends watching, as the module's state wants it. */
function applyPhases(state: State, event: Event): Step {
  const wanted = new Set(
    [...state.checkers]
      .filter(([, when]) => state.enabled && isPhase(when, state.place))
      .map(([name]) => name),
  )
  const ended = [...state.watching].filter((name) => !wanted.has(name)).sort()
  const begun = [...wanted].filter((name) => !state.watching.has(name)).sort()
  const unseen = outlived(state, wanted, event)
  // Nothing to write down and to tell the other node: the values stay the same object.
  if (ended.length + begun.length + unseen.length === 0) return { next: state, actions: [] }
  const local = new Map(state.local)
  for (const name of [...ended, ...unseen]) {
    const cause = state.enabled ? `not watched in ${state.place.role}` : 'checkers are switched off'
    local.set(name, changed(local.get(name), { name, value: 'init', cause, by: 'module' }, event))
  }
  const awaited = new Set(without(state.awaited, ended))
  for (const name of begun) {
    // What a daemon before this one saw is believed until the first look of this one.
    if ((local.get(name)?.value ?? 'init') === 'init') awaited.add(name)
    if (!local.has(name)) {
      const report = { name, value: 'init' as const, cause: 'not looked at yet', by: 'module' }
      local.set(name, changed(undefined, report, event))
    }
  }
  return {
    next: { ...state, watching: wanted, awaited, local },
    actions: [
      ...ended.map((name) => ({ kind: 'unwatch' as const, name })),
      ...begun.map((name) => ({ kind: 'watch' as const, name })),
    ],
  }
}

/**
 * What a daemon before this one saw, and nobody looks at where the module is: believed any longer, it could ask the module
 * to wait for ever. A serving node that is on its way somewhere looks again when it is there.
 */
function outlived(
  { checkers, local, place, watching }: State,
  wanted: ReadonlySet<string>,
  { fact }: Event,
): readonly string[] {
  const isSettled = isServing(place) ? place.sub === 'Ready' : place.role !== 'STOP'
  if (fact.kind !== 'moduleChanged' || !isSettled) return []
  return [...checkers.keys()].filter((name) => {
    const resource = local.get(name)
    const isSeen = resource?.by === 'checker' && resource.value !== 'init'
    return isSeen && !wanted.has(name) && !watching.has(name)
  })
}

/** While a serving node is on its way somewhere, its application is not looked at: it may be starting or stopping. */
function isPhase(when: CheckerPhase, place: Place): boolean {
  switch (when) {
    case 'pre':
      return place.role !== 'STOP'
    case 'prim':
      return isServing(place) && place.sub === 'Ready'
    case 'second':
      return place.role === 'SECOND'
    case 'both':
      return place.role === 'SECOND' || (isServing(place) && place.sub === 'Ready')
    default:
      return assertNever(when)
  }
}

/** What every rule says now, and since when it says so. */
function judge(state: State, { nowMs }: Event): State {
  const ruleStates = new Map<string, RuleState>()
  for (const { label, condition } of state.rules) {
    const evaluation = evaluate(condition, state)
    const before = state.ruleStates.get(label)
    const same = before?.truth === evaluation.truth ? before : undefined
    ruleStates.set(label, {
      ...evaluation,
      sinceMs: same?.sinceMs ?? nowMs,
      fired: same?.fired,
    })
  }
  return { ...state, ruleStates }
}

function without(set: ReadonlySet<string>, names: readonly string[]): ReadonlySet<string> {
  return new Set([...set].filter((name) => !names.includes(name)))
}

function stay(next: State): Step {
  return { next, actions: [] }
}
