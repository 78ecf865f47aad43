/**
 * The daemon of a module with the light topology: it runs the product's machine, keeps its place before it does anything, and can die
 * between any two actions.
 */
import {
  type Action,
  type Event,
  initialState,
  type LightConfig,
  type LightRole,
  type State,
  type Step,
} from '@holdfast/plugin-light/decisions'
import {
  assertNever,
  done,
  type OperatorCommand,
  refused,
  type Role,
  type Verdict,
} from '@holdfast/sdk'
import type { Application } from '../application.js'
import type { SimNode } from '../node.js'

export type StepFunction = (state: State, event: Event) => Step

export interface LightParts {
  readonly node: SimNode
  readonly application: Application
  readonly config: LightConfig
  readonly step: StepFunction
  /** Seen before the actions are carried out. */
  readonly onStep: (before: State, event: Event, done: Step) => void
  readonly onAnswer: (ticket: number, verdict: Verdict) => void
  readonly dies: (how: 'daemon' | 'power') => void
}

export class LightDaemon {
  state: State
  /** It dies after this many more actions. */
  doom: { actions: number; readonly how: 'daemon' | 'power' } | undefined
  /** Survives the daemon, not the power. */
  #kept: State | undefined
  #ticket = 0
  #inbox: Event[] = []
  #isBusy = false

  constructor(readonly parts: LightParts) {
    this.state = initialState(parts.config, 0)
  }

  /** The first one after power on, or the next one after a death. */
  begin(): void {
    this.#inbox = []
    this.#isBusy = false
    const kept = this.#kept
    this.state = kept ?? initialState(this.parts.config, 0)
    if (kept === undefined) return
    const { place } = kept
    const role = place.role === 'leaving' ? place.from : place.role
    const isThere = role !== 'up' || this.parts.application.runs
    const verdict = isThere ? done : refused('E_SIM_ADOPT', 'the application does not run')
    this.post({ kind: 'adopted', verdict, wallMs: this.parts.node.wallMs })
  }

  end(how: 'daemon' | 'power'): void {
    this.#inbox = []
    this.doom = undefined
    this.parts.application.forget()
    if (how === 'power') this.#kept = undefined
  }

  /** `identity`: the rule or checker that orders it; undefined: an operator. Returns the ticket of the answer. */
  command(command: OperatorCommand, identity: string | undefined): number {
    this.#ticket += 1
    const { wallMs } = this.parts.node
    const cause = identity ?? 'operator'
    this.post({ kind: 'commanded', command, identity, cause, wallMs, ticket: this.#ticket })
    return this.#ticket
  }

  post(event: Event): void {
    this.#inbox.push(event)
    if (this.#isBusy) return
    this.#isBusy = true
    const { node } = this.parts
    const life = node.lives.daemon
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
      this.#turn(next)
      if (node.lives.daemon !== life) return
    }
    this.#isBusy = false
  }

  #turn(event: Event): void {
    const { node, step, onStep } = this.parts
    const life = node.lives.daemon
    const before = this.state
    const taken = step(before, event)
    this.state = taken.next
    this.#kept = taken.next
    onStep(before, event, taken)
    for (const action of taken.actions) {
      if (this.#meetsDoom() || node.lives.daemon !== life) return
      this.#act(action)
    }
  }

  #meetsDoom(): boolean {
    if (this.doom === undefined) return false
    this.doom.actions -= 1
    if (this.doom.actions > 0) return false
    const { how } = this.doom
    this.doom = undefined
    this.parts.dies(how)
    return true
  }

  #act(action: Action): void {
    const { application, node } = this.parts
    switch (action.kind) {
      case 'enter':
        application.change(changeOf(action), (verdict) => {
          this.post({ kind: 'entered', epoch: action.epoch, verdict, wallMs: node.wallMs })
        })
        return
      case 'leave':
        application.interrupt()
        application.change(changeOf(action), (verdict) => {
          this.post({ kind: 'left', epoch: action.epoch, verdict })
        })
        return
      case 'restart':
        application.change({ from: 'alone', to: 'alone', isRestart: true }, (verdict) => {
          this.post({ kind: 'restarted', epoch: action.epoch, verdict, wallMs: node.wallMs })
        })
        return
      case 'answer':
        this.parts.onAnswer(action.ticket, action.verdict)
        return
      default:
        assertNever(action)
    }
  }
}

/** The simulated application knows the roles of a mirror: whoever serves without a peer is ALONE there. */
function changeOf({ from, to }: { readonly from: LightRole; readonly to: LightRole }) {
  const role = (one: LightRole): Role => (one === 'up' ? 'alone' : one)
  return { from: role(from), to: role(to) }
}
