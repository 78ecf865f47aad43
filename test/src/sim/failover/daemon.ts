/** The part of a simulated daemon that watches and applies rules: the product's machine, checkers, and what is kept for a successor. */
import {
  type Fact,
  nothingKnown,
  parseRules,
  ruleSet,
  type State,
} from '@holdfast/plugin-failover/decisions'
import { present, type State as LightState } from '@holdfast/plugin-light/decisions'
import type { ResourceValue, Verdict } from '@holdfast/sdk'
import type { World as LightWorld } from '../light/world.js'
import type { StepFunction } from './mutants.js'
import { checkers, rules } from './rules.js'
import { transitionOf } from './transitions.js'
import type { Truth } from './truth.js'

export interface FailoverParts {
  readonly module: () => LightWorld
  readonly truth: Truth
  readonly step: StepFunction
  readonly handleTimeMs: number | undefined
  readonly seen: (name: string) => ResourceValue
  readonly remote: () => ReadonlyMap<string, ResourceValue> | undefined
  readonly reached: (transition: string) => void
}

const writeAfterMs = 500

export class FailoverDaemon {
  state: State = nothingKnown
  /** Survives the daemon, not the power. */
  #kept: Pick<State, 'local' | 'held'> = nothingKnown
  /** Survives everything. */
  #enabled = true
  #isArmed = false
  #inbox: Fact[] = []
  #isBusy = false
  #isRunning = false
  #timer = 0
  readonly #rounds = new Map<string, number>()
  readonly #tickets = new Map<number, Verdict>()

  constructor(readonly parts: FailoverParts) {}

  begin(): void {
    const { truth, handleTimeMs } = this.parts
    // The daemon may have died as it took over what runs.
    if (!this.#module.node.daemonRuns) return
    this.#isRunning = true
    this.state = { ...nothingKnown, ...this.#kept, enabled: this.#enabled, handleTimeMs }
    this.#inbox = []
    this.#isBusy = false
    this.#isArmed = false
    truth.began(new Map([...this.#kept.local].map(([name, { value }]) => [name, value])))
    truth.switched(this.#enabled, this.#nowMs)
    this.rulesChanged([])
    this.moduleChanged(this.#module.daemon.state)
    this.remoteChanged()
  }

  end(how: 'daemon' | 'power'): void {
    this.#inbox = []
    this.#isRunning = false
    if (how === 'power') this.#kept = nothingKnown
    for (const name of checkers.keys()) this.#newRound(name)
  }

  rulesChanged(replaced: readonly string[]): void {
    const operator = parseRules(rules.map(({ text }) => text).join('\n')).rules
    const contributed = new Map([...checkers.keys()].map((name) => [name, { rule: undefined }]))
    this.#post({
      kind: 'rulesChanged',
      rules: ruleSet({ extends: true, operator, checkers: contributed }),
      ...{ checkers, replaced },
    })
  }

  moduleChanged(state: LightState): void {
    const { role, sub } = present(state, 0)
    this.#post({ kind: 'moduleChanged', role, sub })
  }

  remoteChanged(): void {
    const values = this.parts.remote()
    this.#post(values === undefined ? { kind: 'remoteLost' } : { kind: 'remoteTold', values })
  }

  switchCheckers(enabled: boolean): void {
    this.#enabled = enabled
    this.#post({ kind: 'switched', enabled })
  }

  answered(ticket: number, verdict: Verdict): void {
    this.#tickets.set(ticket, verdict)
  }

  get #module(): LightWorld {
    return this.parts.module()
  }

  get #nowMs(): number {
    return this.#module.agenda.now
  }

  #post(fact: Fact): void {
    if (!this.#isRunning) return
    this.#inbox.push(fact)
    if (this.#isBusy) return
    this.#isBusy = true
    const life = this.#module.node.lives.daemon
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
      this.#turn(next)
      if (this.#module.node.lives.daemon !== life) return
    }
    this.#isBusy = false
  }

  #turn(fact: Fact): void {
    const { step, reached, truth } = this.parts
    const { node } = this.#module
    const event = { fact, nowMs: this.#nowMs, wallMs: node.wallMs }
    this.#account(fact)
    const before = this.state
    const { next, actions } = step(before, event)
    this.state = next
    reached(transitionOf(before, event))
    this.#compare()
    this.#keepSoon()
    for (const action of actions) {
      if (action.kind === 'watch') this.#watch(action.name)
      else if (action.kind === 'unwatch') this.#newRound(action.name)
      else if (action.kind === 'arm') this.#arm(action.delayMs)
      else if (action.kind === 'order') {
        truth.ordered(action.label, action.command, this.#nowMs)
        this.#module.note(`${action.label} orders ${action.command}: ${action.cause}`)
        const isLook = next.held?.by === 'look' && action.command === 'wait'
        reached(`${action.label}: ${action.command}${isLook ? ' for the first look' : ''}`)
        this.#order(action)
      } else if (action.event === 'ruleFired' && action.fields['action'] === 'set') {
        reached(`${String(action.fields['rule'])}: set`)
      }
    }
  }

  #account(fact: Fact): void {
    const { truth } = this.parts
    if (fact.kind === 'reported') {
      for (const { name, value } of fact.reports) truth.reported(name, value, this.#nowMs)
    } else if (fact.kind === 'moduleChanged') {
      truth.moduleIs({ role: fact.role, isReady: fact.sub === 'Ready' }, this.#nowMs)
    } else if (fact.kind === 'remoteTold') truth.told(fact.values, this.#nowMs)
    else if (fact.kind === 'remoteLost') truth.told(undefined, this.#nowMs)
    else if (fact.kind === 'switched') truth.switched(fact.enabled, this.#nowMs)
    else if (fact.kind === 'answered') truth.answered(fact.label)
  }

  /** The machine knows what was said, and watches what the module's state wants. */
  #compare(): void {
    const { truth } = this.parts
    const watching = [...this.state.watching].sort().join(' ')
    const wanted = truth.watched().join(' ')
    if (watching !== wanted) truth.violated(`watched is "${watching}", not "${wanted}"`)
    for (const name of checkers.keys()) {
      const value = this.state.local.get(name)?.value ?? 'init'
      if (value === truth.value(name)) continue
      truth.violated(`${name} is taken for ${value}, and it is ${truth.value(name)}`)
    }
  }

  #order({
    label,
    command,
  }: {
    readonly label: string
    readonly command: Parameters<LightWorld['command']>[0]
  }): void {
    const { node, random, daemon } = this.#module
    if (!node.isAwake('daemon')) return
    this.#keep()
    const ticket = daemon.command(command, label)
    node.later('daemon', random.integer(0, 30), () => {
      const verdict = this.#tickets.get(ticket)
      this.#tickets.delete(ticket)
      if (verdict === undefined) return
      this.#post({ kind: 'answered', label, verdict })
    })
  }

  #arm(delayMs: number): void {
    this.#timer += 1
    const mine = this.#timer
    this.#module.node.later('daemon', delayMs, () => {
      if (mine === this.#timer) this.#post({ kind: 'timeUp' })
    })
  }

  #watch(name: string): void {
    this.#lookSoon(name, this.#newRound(name), this.#module.random.integer(10, 300))
  }

  /** What was seen before the end may be said after it. */
  #lookSoon(name: string, round: number, afterMs: number): void {
    const { node, random } = this.#module
    node.later('daemon', afterMs, () => {
      if (this.#rounds.get(name) !== round) return
      const value = this.parts.seen(name)
      node.later('daemon', random.integer(0, 40), () => {
        const report = { name, value, cause: 'seen', by: 'checker' }
        this.#post({ kind: 'reported', reports: [report] })
      })
      this.#lookSoon(name, round, random.integer(300, 1_000))
    })
  }

  #newRound(name: string): number {
    const round = (this.#rounds.get(name) ?? 0) + 1
    this.#rounds.set(name, round)
    return round
  }

  #keepSoon(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    this.#module.node.later('daemon', writeAfterMs, () => {
      this.#isArmed = false
      this.#keep()
    })
  }

  #keep(): void {
    const { local, held } = this.state
    this.#kept = { local, held }
  }
}
