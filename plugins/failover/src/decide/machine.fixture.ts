/** For tests of decisions: the failover machine with a clock and with answers. */
import type { CheckerPhase, ResourceValue, RoleName, SubState } from '@holdfast/sdk'
import { explain } from '../explain.js'
import { parseRules } from '../language/parser.js'
import { ruleSet } from '../language/rule-set.js'
import { nothingKnown, step } from './decide.js'
import type { Action, Fact, State } from './types.js'

/** A machine with a clock, that answers its own orders and remembers what it ordered. */
export class World {
  state: State
  nowMs = 1_000_000
  readonly orders: string[] = []
  readonly notes: string[] = []
  readonly watched = new Set<string>()
  answers = true
  private timerMs = Infinity

  constructor(
    rules: string,
    checkers: Readonly<Record<string, CheckerPhase>> = {},
    from = nothingKnown,
  ) {
    this.state = from
    const phases = new Map(Object.entries(checkers))
    const operator = parseRules(rules).rules
    const contributed = new Map([...phases.keys()].map((name) => [name, { rule: undefined }]))
    this.post({
      kind: 'rulesChanged',
      rules: ruleSet({ extends: true, operator, checkers: contributed }),
      checkers: phases,
      replaced: [],
    })
  }

  post(fact: Fact): void {
    const { next, actions } = step(this.state, { fact, nowMs: this.nowMs, wallMs: this.nowMs })
    this.state = next
    for (const action of actions) this.perform(action)
  }

  is(role: RoleName, sub: SubState = 'Ready'): void {
    this.post({ kind: 'moduleChanged', role, sub })
  }

  say(name: string, value: ResourceValue, by = 'checker'): void {
    this.post({ kind: 'reported', reports: [{ name, value, cause: 'as told', by }] })
  }

  /** Time goes by, with the timers that become due in it. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms
    while (this.timerMs <= endMs) {
      this.nowMs = this.timerMs
      this.timerMs = Infinity
      this.post({ kind: 'timeUp' })
    }
    this.nowMs = endMs
  }

  value(name: string): ResourceValue | undefined {
    return this.state.local.get(name)?.value
  }

  why(label: string): string {
    const all = explain(this.state, { nowMs: this.nowMs, wallMs: this.nowMs })
    return all.find((one) => one.label === label)?.why ?? ''
  }

  private perform(action: Action): void {
    if (action.kind === 'watch') this.watched.add(action.name)
    if (action.kind === 'unwatch') this.watched.delete(action.name)
    if (action.kind === 'arm') this.timerMs = this.nowMs + action.delayMs
    if (action.kind === 'note') this.notes.push(action.event)
    if (action.kind !== 'order') return
    this.orders.push(`${action.label}: ${action.command}`)
    if (this.answers) this.post({ kind: 'answered', label: action.label, verdict: { ok: true } })
  }
}
