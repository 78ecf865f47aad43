/**
 * The light machine: STOP → WAIT → UP on one node, whatever other nodes do.
 *
 *   stop → wait → up        wait: the start is under way, or a rule says to wait
 *   any → leaving → wait | stop      leaving: the application is still stopping
 *
 * An answer carries the epoch of its question; one with another epoch came too late and is ignored.
 */
import {
  assertNever,
  countLoop,
  done,
  isOverMaxloop,
  refused,
  type TransitionAction,
  type Verdict,
} from '@holdfast/sdk'
import type { Action, Event, LightConfig, LightRole, Place, State, Step } from './types.js'

export function initialState(config: LightConfig, epoch: number): State {
  return {
    config,
    place: { role: 'stop' },
    hold: undefined,
    epoch,
    loops: [],
    cause: 'not started',
    hint: undefined,
  }
}

export function step(state: State, event: Event): Step {
  switch (event.kind) {
    case 'commanded':
      return onCommand(state, event)
    case 'adopted':
      return onAdopted(state, event)
    case 'entered':
      return onEntered(state, event)
    case 'restarted':
      return onRestarted(state, event)
    case 'left':
      return onLeft(state, event)
    default:
      return assertNever(event)
  }
}

type Commanded = Extract<Event, { kind: 'commanded' }>

function onCommand(before: State, event: Commanded): Step {
  const refusal = refusalOf(before, event)
  const answer: Action = { kind: 'answer', ticket: event.ticket, verdict: refusal ?? done }
  if (refusal !== undefined) return stay(before, answer)
  const isCounted = event.identity !== undefined && interrupts(before, event.command)
  const state = isCounted
    ? counted(before, event.wallMs)
    : event.identity === undefined
      ? { ...before, loops: [] }
      : before
  const obeyed =
    isCounted && isOver(state) ? stop(state, overMaxloop(event.cause)) : obey(state, event)
  return { next: obeyed.next, actions: [...obeyed.actions, answer] }
}

function refusalOf({ place }: State, { command }: Commanded): Verdict | undefined {
  if (['prim', 'primforce', 'second', 'swap'].includes(command)) {
    const what = `a light module has no primary and no secondary, so there is no "${command}"`
    return refused('E_LIGHT_ORDER', what, 'use "start", "stop", "restart" or "stopstart"')
  }
  if (command === 'restart' && !(place.role === 'up' && place.stage === 'ready')) {
    return refused(
      'E_LIGHT_NOT_UP',
      'only an application that runs can be restarted',
      'use "start"',
    )
  }
  return undefined
}

/** maxloop counts what a checker or a rule interrupts the service with. */
function interrupts({ place }: State, command: Commanded['command']): boolean {
  return place.role === 'up' && ['restart', 'stopstart', 'wait'].includes(command)
}

function obey(state: State, { command, cause }: Commanded): Step {
  switch (command) {
    case 'start':
      return start(state, cause)
    case 'stop':
      return stop(state, cause)
    case 'forcestop':
      return isStuck(state) ? leaveAgain(state, cause) : stop(state, cause)
    case 'stopstart':
      return state.place.role === 'up' ? leave(state, 'wait', 'stopstart', cause) : stay(state)
    case 'restart':
      return restart(state, cause)
    case 'wait':
      return hold(state, cause)
    case 'wakeup':
      return wakeUp(state, cause)
    case 'swap':
    case 'prim':
    case 'primforce':
    case 'second':
      return stay(state) // Refused before.
    default:
      return assertNever(command)
  }
}

/** An operator's start ends a wait that a rule asked for. */
function start(before: State, cause: string): Step {
  const state = { ...before, hold: undefined }
  const { place } = state
  if (place.role === 'wait' && place.stage === 'held') return goUp(state, cause)
  return place.role === 'stop' ? enterWait(state, cause) : stay(state)
}

function enterWait(state: State, cause: string): Step {
  const epoch = state.epoch + 1
  const next = become({ ...state, epoch }, { role: 'wait', stage: 'entering', epoch }, cause)
  return stay(next, { kind: 'enter', epoch, from: 'stop', to: 'wait', action: 'start' })
}

function stop(state: State, cause: string): Step {
  const { place } = state
  if (place.role === 'stop') return stay(state)
  // A stop that comes while the application stops anyway: it ends in STOP.
  if (place.role === 'leaving')
    return stay(become(state, { ...place, to: 'stop' }, cause, state.hint))
  return leave(state, 'stop', 'stop', cause)
}

function restart(state: State, cause: string): Step {
  const epoch = state.epoch + 1
  const next = become({ ...state, epoch }, { role: 'up', stage: 'restarting', epoch }, cause)
  return stay(next, { kind: 'restart', epoch })
}

function hold(before: State, cause: string): Step {
  const state = { ...before, hold: cause }
  if (state.place.role === 'stop') return stay(before)
  if (state.place.role === 'up') return leave(state, 'wait', 'stopwait', cause)
  const isHeld = state.place.role === 'wait' && state.place.stage === 'held'
  return stay(isHeld ? { ...state, cause } : state)
}

function wakeUp(before: State, cause: string): Step {
  const state = { ...before, hold: undefined }
  const isHeld = state.place.role === 'wait' && state.place.stage === 'held'
  return isHeld ? goUp(state, cause) : stay(state)
}

function onAdopted(state: State, event: Extract<Event, { kind: 'adopted' }>): Step {
  const { place } = state
  const epoch = state.epoch + 1
  const again = { ...state, epoch }
  if (place.role === 'leaving') {
    return place.failure === undefined ? leaveAgain(state, state.cause) : stay(state)
  }
  if (place.role === 'wait' && place.stage === 'entering') {
    const action: Action = { kind: 'enter', epoch, from: 'stop', to: 'wait', action: 'start' }
    return stay({ ...again, place: { ...place, epoch } }, action)
  }
  if (place.role !== 'up') return stay(state)
  if (place.stage === 'entering') {
    const action: Action = { kind: 'enter', epoch, from: 'wait', to: 'up', action: 'start' }
    return stay({ ...again, place: { ...place, epoch } }, action)
  }
  if (!event.verdict.ok) return failOver(state, event.verdict.reason, event.wallMs)
  // Cut in the middle of a restart: it may be half of it that runs.
  return place.stage === 'restarting' ? restart(state, state.cause) : stay(state)
}

function onEntered(state: State, event: Extract<Event, { kind: 'entered' | 'restarted' }>): Step {
  const { place } = state
  const isMine = (place.role === 'wait' || place.role === 'up') && place.epoch === event.epoch
  if (!isMine) return stay(state)
  if (!event.verdict.ok) return failOver(state, event.verdict.reason, event.wallMs)
  if (place.role === 'up') return stay(become(state, { ...place, stage: 'ready' }, state.cause))
  return settle(state)
}

function onRestarted(state: State, event: Extract<Event, { kind: 'entered' | 'restarted' }>): Step {
  return state.place.role === 'up' && state.place.stage === 'restarting'
    ? onEntered(state, event)
    : stay(state)
}

function onLeft(state: State, event: Extract<Event, { kind: 'left' }>): Step {
  const { place } = state
  if (place.role !== 'leaving' || place.epoch !== event.epoch) return stay(state)
  if (!event.verdict.ok) {
    const failed = { ...place, failure: event.verdict.reason }
    const hint = 'it may still run: end it by hand, then "forcestop"'
    return stay(become(state, failed, `could not stop: ${event.verdict.reason}`, hint))
  }
  // A start that failed before the application had its turn begins from the beginning.
  if (place.to === 'wait')
    return place.from === 'wait' ? enterWait(state, state.cause) : settle(state)
  if (place.from === 'wait')
    return stay({ ...become(state, { role: 'stop' }, state.cause), hold: undefined })
  return leaveFrom(state, 'wait', 'stop', place.action, state.cause)
}

/** In WAIT with nothing under way: up, unless a rule says to wait. */
function settle(state: State): Step {
  if (state.hold === undefined) return goUp(state, state.cause)
  const place = { role: 'wait', stage: 'held', epoch: state.epoch } as const
  return stay(become(state, place, state.hold))
}

function goUp(state: State, cause: string): Step {
  const epoch = state.epoch + 1
  const next = become({ ...state, epoch }, { role: 'up', stage: 'entering', epoch }, cause)
  return stay(next, { kind: 'enter', epoch, from: 'wait', to: 'up', action: 'start' })
}

function leave(state: State, to: 'wait' | 'stop', action: TransitionAction, cause: string): Step {
  return leaveFrom(state, state.place.role === 'up' ? 'up' : 'wait', to, action, cause)
}

function leaveFrom(
  state: State,
  from: 'wait' | 'up',
  to: 'wait' | 'stop',
  action: TransitionAction,
  cause: string,
): Step {
  const epoch = state.epoch + 1
  const place: Place = { role: 'leaving', from, to, action, epoch, failure: undefined }
  // The application first; what belongs to WAIT goes in a step of its own.
  const first: LightRole = from === 'up' ? 'wait' : 'stop'
  const next = become({ ...state, epoch }, place, cause)
  return stay(next, { kind: 'leave', epoch, from, to: first, action })
}

function isStuck({ place }: State): boolean {
  return place.role === 'leaving' && place.failure !== undefined
}

function leaveAgain(state: State, cause: string): Step {
  const { place } = state
  if (place.role !== 'leaving') return stay(state)
  const to = isStuck(state) ? 'stop' : place.to
  return leaveFrom(state, place.from, to, place.action, cause)
}

/** What could not start is stopped and started again, until maxloop. */
function failOver(before: State, cause: string, wallMs: number): Step {
  const state = counted(before, wallMs)
  return isOver(state)
    ? leave(state, 'stop', 'stop', overMaxloop(cause))
    : leave(state, 'wait', 'stopstart', cause)
}

function counted(state: State, wallMs: number): State {
  return { ...state, loops: countLoop(state.loops, wallMs, state.config) }
}

function isOver({ config, loops }: State): boolean {
  return isOverMaxloop(loops, config)
}

function overMaxloop(cause: string): string {
  return `stopped by maxloop: ${cause}`
}

function become(state: State, place: Place, cause: string, hint?: string): State {
  return { ...state, place, cause, hint }
}

function stay(next: State, ...actions: readonly Action[]): Step {
  return { next, actions }
}
