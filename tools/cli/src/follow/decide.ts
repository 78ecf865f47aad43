/** When has an order led to a result? Decided from the states seen since it was accepted. */
import type { OperatorCommand, RoleName } from '@holdfast/sdk'
import type { StateView } from '../api/views.js'

export interface Followed {
  readonly order: OperatorCommand
  /** Before the order was given. */
  readonly before: StateView | undefined
  readonly now: StateView | undefined
  /** A state other than `before` was seen. */
  readonly changed: boolean
  /** How long `now` has been as it is. */
  readonly heldMs: number
  readonly sinceOrderMs: number
  readonly timeoutMs: number
}

/** `reached`: what was asked for. `settled`: stable, but something else. */
export type Outcome = 'going' | 'reached' | 'settled' | 'timedOut'

/** An order is accepted a moment before its first change is visible. */
const unchangedMs = 1500
/** A stable state that was not asked for may be a step on the way: STOP in `stopstart`, WAIT before a peer is heard. */
const elsewhereMs = 4000

export function outcomeOf(followed: Followed): Outcome {
  const { now, changed, heldMs, sinceOrderMs, timeoutMs } = followed
  if (now?.stable === true) {
    const asked = isAsked(followed.order, followed.before?.role, now.role)
    const isResting = now.role === 'STOP' || now.role === 'WAIT'
    const isEnd = changed && (!isResting || isStop(followed.order))
    if (asked && (isEnd || heldMs >= unchangedMs)) return 'reached'
    if (!asked && heldMs >= elsewhereMs) return 'settled'
  }
  return sinceOrderMs >= timeoutMs ? 'timedOut' : 'going'
}

function isStop(order: OperatorCommand): boolean {
  return order === 'stop' || order === 'forcestop'
}

function isAsked(order: OperatorCommand, before: RoleName | undefined, now: RoleName): boolean {
  switch (order) {
    case 'stop':
    case 'forcestop':
      return now === 'STOP'
    case 'prim':
    case 'primforce':
      return now === 'ALONE' || now === 'PRIM' || now === 'UP'
    case 'second':
      return now === 'SECOND'
    case 'swap':
      return before === 'SECOND' ? now === 'PRIM' || now === 'ALONE' : now === 'SECOND'
    case 'start':
    case 'restart':
    case 'stopstart':
    case 'wakeup':
      return now !== 'STOP'
    case 'wait':
      return now === 'WAIT'
  }
}
