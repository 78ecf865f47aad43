/** Runs a pure machine: one event at a time, its actions handed to a driver in their order. */
import { HoldfastError } from './errors.js'
import type { Machine } from './machine.js'

export const eventsMax = 1_024

export interface MachineDriver<State, Event, Action> {
  /** Carries out one action. Returns when the next one may begin; events that it causes are posted. */
  perform(action: Action, post: (event: Event) => void): Promise<void> | void
  /** Called after each step, before its actions: what must be kept, what the operator sees. */
  onStep?(state: State, event: Event): Promise<void> | void
  /** The machine no longer runs: an action threw, or events came faster than they could be handled. */
  onFailed(cause: unknown): void
}

export interface RunningMachine<State, Event> {
  state(): State
  /** Queues an event. After a failure or `stop` it does nothing. */
  post(event: Event): void
  /** Handles no further event; returns when the action that runs has ended. */
  stop(): Promise<void>
}

export function runMachine<State, Event, Action>(
  machine: Machine<State, Event, Action>,
  driver: MachineDriver<State, Event, Action>,
): RunningMachine<State, Event> {
  const queue: Event[] = []
  let state = machine.initial
  let isOpen = true
  let turning: Promise<void> | undefined

  const fail = (cause: unknown): void => {
    isOpen = false
    queue.length = 0
    driver.onFailed(cause)
  }
  const turn = async (): Promise<void> => {
    try {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
        const { next, actions } = machine.step(state, event)
        state = next
        await driver.onStep?.(state, event)
        for (const action of actions) {
          if (!isOpen) break
          await driver.perform(action, post)
        }
      }
    } catch (thrown) {
      fail(thrown) // A bug in the machine or its driver: whoever started it must know that it stands still.
    }
    turning = undefined
  }
  const post = (event: Event): void => {
    if (!isOpen) return
    if (queue.length >= eventsMax) {
      fail(new HoldfastError('E_MACHINE_QUEUE', `more than ${String(eventsMax)} events wait`))
      return
    }
    queue.push(event)
    // Deferred: a step never begins inside the call that posted its event.
    turning ??= Promise.resolve().then(turn)
  }
  return {
    state: () => state,
    post,
    stop: async () => {
      isOpen = false
      queue.length = 0
      await turning
    },
  }
}
