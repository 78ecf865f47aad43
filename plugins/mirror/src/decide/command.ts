/** Orders of the operator, of checkers and of failover rules. A refusal says why and changes nothing. */
import { done, refused, type Verdict } from '@holdfast/sdk'
import { demote, retryLeave } from './demote.js'
import { countLoop, overMaxloop, resetLoops, stopByMaxloop } from './loops.js'
import {
  andThen,
  ask,
  type At,
  become,
  isAt,
  peerView,
  remember,
  serves,
  stay,
  tell,
} from './plan.js'
import { swap } from './serve.js'
import type { Action, Event, State, Step } from './types.js'

type Commanded = Extract<Event, { kind: 'commanded' }>

export function onCommand(before: State, event: Commanded): Step {
  const isAutomatic = event.identity !== undefined && event.routine !== true
  const isCounted = isAutomatic && counts(before, event.command)
  const state = stateWithLoops(before, event, isCounted)
  const answer = (verdict: Verdict): Action => ({ kind: 'answer', ticket: event.ticket, verdict })
  const refusal = refusalOf(state, event)
  if (refusal !== undefined) return stay(before, answer(refusal))
  const step = isCounted && overMaxloop(state) ? tooMuch(state, event) : obey(state, event)
  return { next: step.next, actions: [...step.actions, answer(done)] }
}

/** maxloop counts what a checker or a rule interrupts the service with, whether it comes back by itself or not. */
function counts(state: State, command: Commanded['command']): boolean {
  if (command === 'wait') return isAt(state, 'alone', 'prim', 'second')
  return command === 'restart' || command === 'stopstart'
}

function stateWithLoops(state: State, event: Commanded, isCounted: boolean): State {
  if (event.identity === undefined) return resetLoops(state)
  return isCounted ? countLoop(state, event.wallMs) : state
}

function tooMuch(state: State, { cause }: Commanded): Step {
  return isAt(state, 'alone', 'prim', 'second', 'wait') ? stopByMaxloop(state, cause) : stay(state)
}

function obey(state: State, event: Commanded): Step {
  switch (event.command) {
    case 'start':
      return start(state, 'none', false, event.cause)
    case 'prim':
      return start(state, 'prim', event.full, event.cause)
    case 'primforce':
      return start(state, 'prim', true, event.cause)
    case 'second':
      return startSecond(state, event)
    case 'stop':
      return isAt(state, 'alone', 'prim', 'second', 'wait')
        ? demote(state, 'stop', 'stop', event.cause)
        : redirectDemotion(state, event.cause)
    case 'forcestop':
      return forceStop(state, event.cause)
    case 'stopstart':
      return isAt(state, 'alone', 'prim', 'second')
        ? demote(state, 'wait', 'stopstart', event.cause)
        : stay(state)
    case 'wait':
      return wait(state, event)
    case 'wakeup':
      return wakeUp(state, event.cause)
    case 'restart':
      return restart(state, event.cause)
    case 'swap':
      return isAt(state, 'prim') ? swap(state, event.cause) : stay(state, tell({ kind: 'swap' }))
  }
}

function start(state: State, demand: 'none' | 'prim', full: boolean, cause: string): Step {
  if (isAt(state, 'wait')) {
    const epoch = state.epoch
    const place = { ...state.place, epoch, demand, full, hold: undefined }
    return stay(become(state, { ...place, stage: 'deciding' }, cause))
  }
  if (isAt(state, 'demoting')) return stay(released(state))
  if (!isAt(state, 'stop')) return stay(state)
  const { state: asked, epoch } = ask(state)
  const place = { role: 'wait' as const, epoch, demand, full, hold: undefined }
  const next = become(asked, { ...place, stage: 'entering' }, cause)
  return stay(next, { kind: 'enter', epoch, from: 'stop', to: 'wait', action: 'start' })
}

/**
 * Steps down, and takes no role before `wakeup`; `start`, `prim`, `primforce`, `second` and any stop end it as well. A
 * peer with the same data takes over at once. A node that is held still agrees that the other one serves.
 */
function wait(state: State, { cause, routine = false }: Commanded): Step {
  if (isAt(state, 'alone', 'prim', 'second')) {
    const down = demote(state, 'wait', 'stopwait', cause)
    return { next: held(down.next, cause, routine), actions: down.actions }
  }
  return stay(held(state, cause, routine))
}

/** What was demanded before is replaced by this order, unless it is routine: it must not come true at a `wakeup` long after. */
function held(state: State, hold: string, routine: boolean): State {
  const undemanded = routine ? { hold } : { demand: 'none' as const, full: false, hold }
  if (isAt(state, 'wait')) {
    const stage = state.place.stage === 'entering' ? 'entering' : 'deciding'
    return become(state, { ...state.place, ...undemanded, stage }, hold)
  }
  return isAt(state, 'demoting') && state.place.to === 'wait'
    ? { ...state, place: { ...state.place, ...undemanded } }
    : state
}

function wakeUp(state: State, cause: string): Step {
  if (isAt(state, 'demoting')) return stay(released(state))
  if (!isAt(state, 'wait') || state.place.hold === undefined) return stay(state)
  return stay(become(state, { ...state.place, hold: undefined }, cause))
}

function released(state: At<'demoting'>): State {
  return { ...state, place: { ...state.place, hold: undefined } }
}

/** `second fullsync` gives up what is only here: the operator's word for it. */
function startSecond(state: State, event: Commanded): Step {
  const given = event.full ? remember(state, { data: 'none' }) : stay(state)
  return andThen(given, (next) => {
    const started = start(next, 'none', event.full, event.cause)
    const { place } = started.next
    return place.role === 'wait'
      ? { ...started, next: { ...started.next, place: { ...place, demand: 'second' } } }
      : started
  })
}

function forceStop(state: State, cause: string): Step {
  if (isAt(state, 'demoting')) {
    const stopping = { ...state, place: { ...state.place, to: 'stop' as const } }
    return state.place.failure === undefined ? stay(stopping) : retryLeave(stopping)
  }
  return isAt(state, 'alone', 'prim', 'second', 'wait')
    ? demote(state, 'stop', 'stop', cause)
    : stay(state)
}

/** A stop that comes while the node steps down anyway: it ends in STOP. */
function redirectDemotion(state: State, cause: string): Step {
  if (!isAt(state, 'demoting')) return stay(state)
  return stay(become(state, { ...state.place, to: 'stop' }, cause, state.hint))
}

function restart(state: State, cause: string): Step {
  if (!isAt(state, 'alone', 'prim')) return stay(state)
  const { state: asked, epoch } = ask(state)
  const next = become(asked, { ...state.place, stage: 'restarting', epoch }, cause)
  return stay(next, { kind: 'restart', epoch, role: state.place.role })
}

function refusalOf(state: State, event: Commanded): Verdict | undefined {
  const { place } = state
  switch (event.command) {
    case 'start':
    case 'stop':
    case 'forcestop':
    case 'wait':
    case 'wakeup':
      return undefined
    case 'prim':
    case 'primforce':
      return running(state) ?? primRefusal(state, event.command)
    case 'second':
      return running(state) ?? secondRefusal(state)
    case 'stopstart':
      return serves(place.role) || place.role === 'second'
        ? undefined
        : refused('E_MIRROR_NOT_RUNNING', `nothing runs here (${place.role})`, 'use "start"')
    case 'restart':
      return serves(place.role) && 'stage' in place && place.stage === 'ready'
        ? undefined
        : refused(
            'E_MIRROR_NOT_SERVING',
            'the application does not run here, or is just changing',
            'run "restart" on the primary, when it is ready',
          )
    case 'swap':
      return swapRefusal(state)
  }
}

function running({ place }: State): Verdict | undefined {
  if (place.role === 'stop' || place.role === 'wait') return undefined
  return refused('E_MIRROR_RUNNING', `the module is running as ${place.role}`, 'stop it first')
}

function primRefusal(state: State, command: 'prim' | 'primforce'): Verdict | undefined {
  const { memory, config } = state
  const view = peerView(state)
  if (view !== undefined && serves(view.role)) {
    return refused(
      'E_MIRROR_PEER_SERVES',
      `${config.peer} is the primary`,
      'use "start" or "second" here, or "swap"',
    )
  }
  if (command === 'prim' && memory.data === 'partial') {
    return refused(
      'E_MIRROR_PARTIAL',
      'a copy to this node was interrupted: its data is incomplete',
      `start ${config.peer}; if its data is lost for good, "primforce" serves what is here`,
    )
  }
  return undefined
}

function secondRefusal(state: State): Verdict | undefined {
  const view = peerView(state)
  if (view !== undefined && serves(view.role)) return undefined
  const { peer } = state.config
  return refused(
    'E_MIRROR_NO_PRIMARY',
    `${peer} is not primary`,
    `start ${peer} first ("prim" if it has the good data)`,
  )
}

function swapRefusal(state: State): Verdict | undefined {
  const { place, config } = state
  const view = peerView(state)
  const fromPrim = place.role === 'prim' && place.stage === 'ready' && place.degrading === undefined
  const fromSecond = place.role === 'second' && place.stage === 'live' && view?.role === 'prim'
  return fromPrim || fromSecond
    ? undefined
    : refused(
        'E_MIRROR_NO_SWAP',
        `roles can be exchanged only between PRIM (Ready) and SECOND (Ready); this node is ${place.role}`,
        `wait until ${config.peer} and this node are both Ready ("holdfast state")`,
      )
}
