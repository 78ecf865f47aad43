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
  /** Resolves when all that was posted before is handled, its actions done; never after a failure or `stop`. */
  settled(): Promise<void>
  /** Handles no further event; returns when the action that runs has ended. */
  stop(): Promise<void>
}

/** A mark is handled like an event, by telling that it was reached. */
type Entry<Event> =
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'mark'; readonly reached: () => void }

export function runMachine<State, Event, Action>(
  machine: Machine<State, Event, Action>,
  driver: MachineDriver<State, Event, Action>,
): RunningMachine<State, Event> {
  const queue: Entry<Event>[] = []
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
      for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
        if (entry.kind === 'mark') {
          entry.reached()
          continue
        }
        const { event } = entry
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
  const enqueue = (entry: Entry<Event>): void => {
    if (!isOpen) return
    if (queue.length >= eventsMax) {
      fail(new HoldfastError('E_MACHINE_QUEUE', `more than ${String(eventsMax)} events wait`))
      return
    }
    queue.push(entry)
    // Deferred: a step never begins inside the call that posted its event.
    turning ??= Promise.resolve().then(turn)
  }
  const post = (event: Event): void => enqueue({ kind: 'event', event })
  return {
    state: () => state,
    post,
    settled: () => new Promise<void>((reached) => enqueue({ kind: 'mark', reached })),
    stop: async () => {
      isOpen = false
      queue.length = 0
      await turning
    },
  }
}

/** For `onFailed`: a machine that stands still must not look alive. The process ends, and its successor adopts what runs. */
export function endProcess(cause: unknown): void {
  queueMicrotask(() => {
    throw cause
  })
}
