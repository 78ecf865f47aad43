/** Known-bad variants of the failover machine: the sweep must catch each. */
import { type Event, type State, type Step, step } from '@holdfast/plugin-failover/decisions'
import type { KnownBad } from '../machine.js'

export type StepFunction = (state: State, event: Event) => Step

interface Mutant extends KnownBad {
  readonly step: StepFunction
}

export const mutants: readonly Mutant[] = [
  {
    name: 'acts-at-once',
    mistake: 'acts on a value that nobody looked at twice',
    step: (state, event) => {
      const { next, actions } = step({ ...state, handleTimeMs: 0 }, event)
      return { next: { ...next, handleTimeMs: state.handleTimeMs }, actions }
    },
  },
  {
    name: 'believes-late-reports',
    mistake: 'believes what a checker says after its end',
    step: (state, event) => step(state, { ...event, fact: anonymous(event.fact) }),
  },
  {
    name: 'never-wakes',
    mistake: 'does not end a wait that nothing asks for any more',
    step: (state, event) => {
      const { next, actions } = step(state, event)
      const isWakeup = actions.some((one) => one.kind === 'order' && one.command === 'wakeup')
      if (!isWakeup) return { next, actions }
      return {
        next: { ...next, ordering: undefined },
        actions: actions.filter(({ kind }) => kind !== 'order'),
      }
    },
  },
  {
    name: 'orders-side-by-side',
    mistake: 'gives an order while another one is not answered',
    step: (state, event) =>
      step({ ...state, ordering: undefined, settlingUntilMs: undefined }, event),
  },
  {
    name: 'never-off',
    mistake: 'goes on when the operator switches checkers off',
    step: (state, event) =>
      event.fact.kind === 'switched'
        ? step(state, { ...event, fact: { ...event.fact, enabled: true } })
        : step(state, event),
  },
  {
    name: 'forgets-why-it-waits',
    mistake: 'forgets with its daemon that a rule asked to wait',
    step: (state, event) =>
      event.fact.kind === 'rulesChanged'
        ? step({ ...state, held: undefined }, event)
        : step(state, event),
  },
  {
    name: 'remembers-the-dead',
    mistake: 'goes on believing what the other node said last',
    step: (state, event) =>
      event.fact.kind === 'remoteLost'
        ? step(state, { ...event, fact: { kind: 'timeUp' } })
        : step(state, event),
  },
  {
    name: 'orders-again-at-once',
    mistake: 'forgets what it ordered',
    step: (state, event) => {
      const { next, actions } = step(state, event)
      const ruleStates = new Map(
        [...next.ruleStates].map(([label, one]) => [label, { ...one, fired: undefined }]),
      )
      return { next: { ...next, ruleStates, settlingUntilMs: undefined }, actions }
    },
  },
]

export function stepOf(name: string | undefined): StepFunction {
  return mutants.find((one) => one.name === name)?.step ?? step
}

function anonymous(fact: Event['fact']): Event['fact'] {
  if (fact.kind !== 'reported') return fact
  return { ...fact, reports: fact.reports.map((report) => ({ ...report, by: 'module' })) }
}
