/** What the peer says. Everything here came over an authenticated stream, in order, and may still be old news. */
import { assertNever } from '@holdfast/sdk'
import { leader, relateData } from './leader.js'
import { handedOver } from './demote.js'
import { andThen, isAt, remember, serves, stay, tell, viewOf, within } from './plan.js'
import { admit, goAlone, swap } from './serve.js'
import { copy, outdated, rejoinLater, synced } from './second.js'
import type { Message, State, Step, View } from './types.js'
import { deciding, startServing } from './wait.js'

export function onMessage(state: State, message: Message): Step {
  switch (message.kind) {
    case 'view': {
      const heard = onView(state, message.view)
      const answer = (next: State): Step =>
        stay(next, tell({ kind: 'view', view: viewOf(next), asks: false }))
      return message.asks ? andThen(heard, answer) : heard
    }
    case 'lead':
      return andThen(onView(state, message.view), (next) => onLead(next, message))
    case 'agreed':
      return onAgreed(state, message.epoch)
    case 'disagreed':
      return onDisagreed(state, message.epoch, message.reason)
    case 'outdate':
      return onOutdate(state, message.epoch)
    case 'outdated':
      return isAt(state, 'alone', 'prim') &&
        state.place.degrading?.stage === 'outdating' &&
        state.place.degrading.epoch === message.epoch
        ? goAlone(state)
        : stay(state)
    case 'join':
      return andThen(onView(state, message.view), (next) => onJoin(next, message))
    case 'admitted':
      return isAt(state, 'second') &&
        state.place.stage === 'joining' &&
        state.place.epoch === message.epoch
        ? copy(state)
        : stay(state)
    case 'synced':
      return isAt(state, 'second') &&
        state.place.stage === 'copying' &&
        state.place.epoch === message.epoch
        ? synced(state, message.lineage)
        : stay(state)
    case 'swap':
      return isAt(state, 'prim') &&
        state.place.stage === 'ready' &&
        state.place.degrading === undefined
        ? swap(state, `ordered on ${state.config.peer}`)
        : stay(state)
    default:
      return assertNever(message)
  }
}

function onView(before: State, view: View): Step {
  const settled = serves(view.role) || view.role === 'stop'
  const agreed = before.peer.agreed && !settled
  const state = { ...before, peer: { ...before.peer, view, agreed } }
  // Seen once is known for ever: a node that learnt of a newer generation must not forget it with the connection.
  const behind =
    state.memory.data === 'current' &&
    !serves(state.place.role) &&
    relateData(state.memory, view.memory) === 'behind'
  return behind ? remember(state, { data: 'stale' }) : stay(state)
}

/** The peer wants to serve. Agreeing is a promise: not to serve before it is heard what became of it. */
function onLead(state: State, message: Extract<Message, { kind: 'lead' }>): Step {
  const no = (reason: string): Step =>
    stay(state, tell({ kind: 'disagreed', epoch: message.epoch, reason }))
  const { role } = state.place
  const { self, peer } = state.config
  if (serves(role) || role === 'demoting') return no(`${self} is ${role}`)
  if (message.forced) {
    const crossing = isAt(state, 'wait') && state.place.demand === 'prim'
    return crossing && self < peer
      ? no(`${self} was ordered to serve as well`)
      : agree(state, message.epoch)
  }
  const choice = leader(state.config, viewOf(state), message.view)
  if (choice === 'peer') return agree(state, message.epoch)
  return no(choice === 'me' ? `${self} goes first` : 'the copies can not be compared')
}

function agree(state: State, epoch: number): Step {
  // The promise must outlive this process: a witness that knows nothing of it would else grant the same right twice.
  const bound = state.memory.data === 'current' ? remember(state, { data: 'stale' }) : stay(state)
  return andThen(bound, (kept) => {
    const next = handedOver({ ...kept, peer: { ...kept.peer, agreed: true } })
    const resting = isAt(next, 'wait')
      ? deciding(next, `agreed that ${next.config.peer} serves`)
      : next
    const answered = within(resting.epoch, 2 * resting.config.timeoutMs)
    return stay(resting, tell({ kind: 'agreed', epoch }), answered)
  })
}

function onAgreed(state: State, epoch: number): Step {
  if (isAt(state, 'wait') && state.place.stage === 'leading' && state.place.epoch === epoch) {
    const demanded = state.place.demand === 'prim'
    return startServing(state, demanded ? 'the operator ordered it' : `${state.config.peer} agreed`)
  }
  if (isAt(state, 'second') && state.place.stage === 'leading' && state.place.epoch === epoch) {
    return startServing(state, `${state.config.peer} stopped serving and agreed`)
  }
  return stay(state)
}

function onDisagreed(state: State, epoch: number, reason: string): Step {
  const retry = within(state.epoch, state.config.timeoutMs)
  if (isAt(state, 'wait') && state.place.stage === 'leading' && state.place.epoch === epoch) {
    // The stage stays, so that the question is not repeated before the time is up or something is new.
    return stay({ ...state, cause: `${state.config.peer} did not agree: ${reason}` }, retry)
  }
  if (isAt(state, 'second') && state.place.epoch === epoch) {
    return rejoinLater(state, `${state.config.peer} did not agree: ${reason}`)
  }
  return stay(state)
}

/** The serving peer wants to go on without this node. */
function onOutdate(state: State, epoch: number): Step {
  // Whoever went on without the peer meanwhile has what the peer lacks: it is the peer that is stale.
  const { view } = state.peer
  // The question overtook the peer's view: it asks again when it has told that.
  if (view === undefined) return stay(state)
  const relation = relateData(state.memory, view.memory)
  if (relation !== 'same' && relation !== 'behind') {
    const reason = `${state.config.self} has newer data`
    return stay(state, tell({ kind: 'disagreed', epoch, reason }))
  }
  if (isAt(state, 'second')) return outdated(state, epoch)
  if (serves(state.place.role)) return stay(state)
  const kept = state.memory.data === 'current' ? remember(state, { data: 'stale' }) : stay(state)
  return andThen(kept, (next) => stay(next, tell({ kind: 'outdated', epoch })))
}

function onJoin(state: State, message: Extract<Message, { kind: 'join' }>): Step {
  return isAt(state, 'alone', 'prim')
    ? admit(state, message.epoch, message.full, message.view)
    : stay(
        state,
        tell({
          kind: 'disagreed',
          epoch: message.epoch,
          reason: `${state.config.self} does not serve`,
        }),
      )
}
