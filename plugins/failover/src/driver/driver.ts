/** Turns the world into the machine's facts and its actions into the world: checkers, the module, the other node. */
import {
  assertNever,
  type Cancel,
  type Checker,
  type Clock,
  type Contributions,
  HoldfastError,
  type Log,
  messageOf,
  type ModuleState,
  type Peers,
  refused,
  type ResourceValue,
  type RunningMachine,
  runMachine,
  type Store,
  type Topology,
  type Verdict,
  endProcess,
} from '@holdfast/sdk'
import { failoverMachine, nothingKnown } from '../decide/decide.js'
import type { Action, Event, Fact, Report, State } from '../decide/types.js'
import type { Rule } from '../language/rule.js'
import { ruleSet } from '../language/rule-set.js'
import { Kept } from './kept.js'
import { Neighbour } from './neighbour.js'
import { Supervised } from './supervised.js'
import { heartbeatReports, moduleReports } from './surroundings.js'

export interface FailoverParts {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Peers
  readonly store: Store
  readonly checkers: Contributions<Checker>
  readonly topology: Topology
  readonly rules: {
    readonly extends: boolean
    readonly operator: readonly Rule[]
    readonly periodMs: number
    readonly handleTimeMs: number | undefined
  }
}

const heartbeatPeriodMs = 500
const reportAfterMs = 20
/** Checkers beyond this are not watched, and the log says so. */
export const checkersMax = 256
/** An order that the module has not accepted or refused by then counts as refused. */
const orderTimeoutMs = 60_000

export class FailoverDriver {
  private readonly kept: Kept
  private readonly neighbour: Neighbour
  private readonly supervised = new Map<string, Supervised>()
  private readonly instances = new Map<string, Checker>()
  private readonly cancels: Cancel[] = []
  private readonly waiting = new Map<string, Report>()
  private machine: RunningMachine<State, Event> | undefined
  private timer: Cancel = () => undefined

  constructor(private readonly parts: FailoverParts) {
    this.kept = new Kept(parts.store, parts.clock, parts.log)
    this.neighbour = new Neighbour({
      peers: parts.peers,
      clock: parts.clock,
      periodMs: parts.rules.periodMs,
      told: (values) => this.post({ kind: 'remoteTold', values }),
      lost: () => this.post({ kind: 'remoteLost' }),
    })
  }

  async begin(): Promise<void> {
    const { topology, clock, peers, checkers, rules } = this.parts
    const initial = {
      ...nothingKnown,
      ...(await this.kept.read()),
      handleTimeMs: rules.handleTimeMs,
    }
    let shown = initial
    this.machine = runMachine<State, Event, Action>(failoverMachine(initial), {
      perform: (action) => this.perform(action),
      onStep: (state) => {
        const isKept =
          state.local === shown.local && state.held === shown.held && state.past === shown.past
        if (isKept) return
        shown = state
        this.kept.keep(state)
        this.neighbour.tell(state.local)
      },
      onFailed: endProcess,
    })
    void this.onCheckers() // Nothing is replaced yet, so there is nothing to wait for.
    this.onModule()
    this.cancels.push(
      checkers.watch(() => this.onCheckers()),
      topology.watch(() => this.onModule()),
      clock.every(heartbeatPeriodMs, () => this.reportAll(heartbeatReports(peers))),
    )
    this.reportAll(heartbeatReports(peers))
    this.neighbour.begin()
  }

  /** The module goes on; nobody looks at it any more. */
  async stop(): Promise<void> {
    for (const cancel of this.cancels.splice(0)) cancel()
    this.timer()
    this.neighbour.end()
    await this.machine?.stop()
    await Promise.all([...this.supervised.values()].map((one) => one.end()))
    await this.kept.flush()
  }

  /** What the module itself says of its state. */
  module(): ModuleState {
    return this.parts.topology.state()
  }

  state(): State {
    return this.machine?.state() ?? nothingKnown
  }

  /** Persistent: a module whose checkers the operator switched off stays so over restarts. */
  async switchCheckers(enabled: boolean): Promise<void> {
    await this.kept.writeSwitch(enabled)
    this.post({ kind: 'switched', enabled })
  }

  /** Returns when the value is kept. Throws HoldfastError when this resource is not one that can be set. */
  async setResource(report: Report): Promise<void> {
    const state = this.state()
    const settable = this.settable()
    if (!settable.includes(report.name)) {
      const allowed = settable.length === 0 ? 'none' : settable.join(', ')
      throw new HoldfastError(
        'E_RESOURCE_SET',
        `${report.name} can't be set; allowed: ${allowed}`,
        {
          hint: 'only resources of class custom can be set: name one in a <custom> checker or in a rule',
        },
      )
    }
    if (state.checkers.has(report.name) && !state.watching.has(report.name)) {
      const why = state.enabled ? `the module is ${state.place.role}` : 'checkers are switched off'
      throw new HoldfastError('E_RESOURCE_UNWATCHED', `${report.name} is not watched now: ${why}`)
    }
    this.supervised.get(report.name)?.heardOtherwise()
    this.post({ kind: 'reported', reports: [report] })
    await this.machine?.settled()
    await this.kept.flush()
  }

  private settable(): readonly string[] {
    const { checkers, rules, local } = this.state()
    const named = rules.flatMap(
      ({ text }) => text.match(/\bcustom\.[A-Za-z0-9_.:-]*[A-Za-z0-9_]/g) ?? [],
    )
    const all = [...checkers.keys(), ...local.keys(), ...named]
    return [...new Set(all)].filter((name) => name.startsWith('custom.')).sort()
  }

  private post(fact: Fact): void {
    const { clock } = this.parts
    this.machine?.post({ fact, nowMs: clock.monotonicMs(), wallMs: clock.wallMs() })
  }

  private onModule(): void {
    const state = this.parts.topology.state()
    this.post({ kind: 'moduleChanged', role: state.role, sub: state.sub })
    this.reportAll(moduleReports(state))
  }

  private reportAll(reports: readonly Report[]): void {
    const { local } = this.state()
    const news = reports.filter(({ name, value, cause }) => {
      const known = local.get(name)
      return known?.value !== value || known.cause !== cause
    })
    if (news.length > 0) this.post({ kind: 'reported', reports: news })
  }

  /** However many checkers report at once, the machine hears of it in one event: its queue has a maximum. */
  private reportSoon(report: Report): void {
    const isArmed = this.waiting.size > 0
    this.waiting.set(report.name, report)
    if (isArmed) return
    this.parts.clock.after(reportAfterMs, () => {
      const reports = [...this.waiting.values()]
      this.waiting.clear()
      this.post({ kind: 'reported', reports })
    })
  }

  /** Checkers came, went, or were configured anew. Settles when those that went are no longer used. */
  private async onCheckers(): Promise<void> {
    const { checkers, rules, log } = this.parts
    const contributed = checkers.all()
    const all = new Map([...contributed].slice(0, checkersMax))
    if (contributed.size > checkersMax) {
      const text = `of ${String(contributed.size)} checkers only the first ${String(checkersMax)} are watched`
      log.write('critical', 'checkersTooMany', { text })
    }
    const gone = [...this.instances].filter(([name, instance]) => all.get(name) !== instance)
    const ended = gone.map(async ([name]) => {
      await this.supervised.get(name)?.end()
    })
    for (const [name] of gone) {
      this.supervised.delete(name)
      this.instances.delete(name)
    }
    for (const [name, checker] of all) this.instances.set(name, checker)
    this.post({
      kind: 'rulesChanged',
      rules: ruleSet({ extends: rules.extends, operator: rules.operator, checkers: all }),
      checkers: new Map([...all].map(([name, { when }]) => [name, when])),
      replaced: gone.map(([name]) => name),
    })
    await Promise.all(ended)
  }

  private perform(action: Action): void {
    switch (action.kind) {
      case 'watch':
        this.supervise(action.name)?.begin()
        return
      case 'unwatch':
        // What was reported before the end belongs to it.
        this.waiting.delete(action.name)
        void this.supervised.get(action.name)?.end() // It never rejects, and its end is in its own turn.
        return
      case 'order':
        this.order(action)
        return
      case 'arm':
        this.timer()
        this.timer = this.parts.clock.after(action.delayMs, () => this.post({ kind: 'timeUp' }))
        return
      case 'note':
        this.parts.log.write(action.level, action.event, action.fields)
        return
      default:
        assertNever(action)
    }
  }

  private supervise(name: string): Supervised | undefined {
    const checker = this.instances.get(name)
    const known = this.supervised.get(name)
    if (checker === undefined || known !== undefined) return known
    const { clock, log } = this.parts
    const say = ({ value, cause }: { value: ResourceValue; cause: string }): void =>
      this.reportSoon({ name, value, cause, by: 'checker' })
    const supervised = new Supervised({ name, checker, clock, log, say })
    this.supervised.set(name, supervised)
    return supervised
  }

  /** The machine goes on meanwhile: values change while the module considers the order. */
  private order(order: Extract<Action, { kind: 'order' }>): void {
    const { label, command, cause, routine = false } = order
    const { topology, clock } = this.parts
    let isOpen = true
    const answer = (verdict: Verdict): void => {
      if (!isOpen) return
      isOpen = false
      cancel()
      this.post({ kind: 'answered', label, verdict })
    }
    const cancel = clock.after(orderTimeoutMs, () => {
      answer(refused('E_FAILOVER_ORDER', `the module did not answer the order ${command}`))
    })
    // Who waits must be known to wait by the next daemon, or nobody ends it.
    this.kept
      .tryFlush()
      .then(() => topology.command(command, { identity: label, cause, routine }))
      .then(answer, (thrown: unknown) => {
        const code = thrown instanceof HoldfastError ? thrown.code : 'E_FAILOVER_ORDER'
        answer(refused(code, messageOf(thrown)))
      })
  }
}
