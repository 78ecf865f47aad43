/** Known-bad variants of the light machine: the sweep must catch each. */
import { type Step, step } from '@holdfast/plugin-light/decisions'
import type { KnownBad } from '../machine.js'
import type { StepFunction } from './daemon.js'

interface Mutant extends KnownBad {
  readonly step: StepFunction
}

export const mutants: readonly Mutant[] = [
  {
    name: 'no-leaving',
    mistake: 'waits at once, while its application is still stopping',
    step: (state, event) => {
      const taken = step(state, event)
      const [left] = taken.actions.flatMap((one) => (one.kind === 'leave' ? [one] : []))
      if (left === undefined) return taken
      const next = step(taken.next, { kind: 'left', epoch: left.epoch, verdict: { ok: true } })
      return { next: next.next, actions: [...taken.actions, ...next.actions] }
    },
  },
  {
    name: 'stop-always-works',
    mistake: 'takes a stop that failed for a stop',
    step: (state, event) =>
      step(state, event.kind === 'left' ? { ...event, verdict: { ok: true } } : event),
  },
  {
    name: 'forgets-to-wait',
    mistake: 'forgets that it was told to wait, when it was told while it came up',
    step: (state, event) => {
      const taken = step(state, event)
      const isUnderWay = taken.next.place.role === 'leaving' || taken.next.place.role === 'wait'
      return isUnderWay ? { ...taken, next: { ...taken.next, hold: undefined } } : taken
    },
  },
  {
    name: 'counts-nothing',
    mistake: 'starts again for ever',
    step: (state, event) => {
      const { next, actions } = step(state, event)
      return { next: next.loops.length === 0 ? next : { ...next, loops: [] }, actions }
    },
  },
  {
    name: 'resumes-blindly',
    mistake: 'orders nothing again after its daemon was restarted',
    step: (state, event) =>
      event.kind === 'adopted' ? { next: state, actions: [] } : step(state, event),
  },
  {
    name: 'ignores-a-late-stop',
    mistake: 'goes on with a restart that a stop came into',
    step: (state, event) => {
      const isStop = event.kind === 'commanded' && event.command === 'stop'
      const taken = step(state, event)
      return isStop && state.place.role === 'leaving' ? { ...taken, next: state } : taken
    },
  },
  {
    name: 'gives-up-a-failed-stop',
    mistake: 'does not try again to stop what did not stop',
    step: (state, event): Step => {
      const isForced = event.kind === 'commanded' && event.command === 'forcestop'
      const isFailed = state.place.role === 'leaving' && state.place.failure !== undefined
      if (!isForced || !isFailed) return step(state, event)
      return {
        next: state,
        actions: [{ kind: 'answer', ticket: event.ticket, verdict: { ok: true } }],
      }
    },
  },
]

export function stepOf(name: string | undefined): StepFunction {
  return mutants.find((one) => one.name === name)?.step ?? step
}
