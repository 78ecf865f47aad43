import test from 'ava'
import { HoldfastError } from './errors.js'
import { eventsMax, runMachine } from './host.js'
import type { Machine } from './machine.js'

const counter: Machine<number, number, string> = {
  initial: 0,
  step: (state, event) => ({
    next: state + event,
    actions: [`before ${String(event)}`, `after ${String(event)}`],
  }),
}

test('a machine handles one event at a time, its actions in order, and events posted meanwhile afterwards', async (t) => {
  const done: string[] = []
  await new Promise<void>((resolve) => {
    const machine = runMachine(counter, {
      perform: async (action, post) => {
        await Promise.resolve()
        done.push(action)
        if (action === 'before 1') post(5)
        if (action === 'after 5') resolve()
      },
      onFailed: t.fail,
    })
    machine.post(1)
    t.is(machine.state(), 0) // Deferred: the caller's own state is settled first.
  })
  t.deepEqual(done, ['before 1', 'after 1', 'before 5', 'after 5'])
})

test('an action that throws stops the machine, and its driver hears why', async (t) => {
  const cause = await new Promise<unknown>((resolve) => {
    const machine = runMachine(counter, {
      perform: () => {
        throw new Error('driver')
      },
      onFailed: resolve,
    })
    machine.post(1)
    machine.post(1)
  })
  t.true(cause instanceof Error && cause.message === 'driver')
})

test('more events than the maximum fail the machine instead of filling the memory', (t) => {
  let cause: unknown
  const machine = runMachine(counter, {
    perform: () => undefined,
    onFailed: (thrown) => {
      cause = thrown
    },
  })
  for (let n = 0; n <= eventsMax; n++) machine.post(1)
  t.true(cause instanceof HoldfastError && cause.code === 'E_MACHINE_QUEUE')
})

test('stop lets the running action end and begins no other', async (t) => {
  const done: string[] = []
  const machine = runMachine(counter, {
    perform: async (action) => {
      await Promise.resolve()
      done.push(action)
      if (done.length === 1) stopping = machine.stop()
    },
    onFailed: t.fail,
  })
  let stopping: Promise<void> | undefined
  machine.post(1)
  machine.post(2)
  await new Promise((resolve) => setImmediate(resolve))
  await stopping
  t.deepEqual(done, ['before 1'])
})

test('settled resolves after all that was posted before is done, and not while an action hangs', async (t) => {
  const order: string[] = []
  let release: () => void = () => undefined
  const machine = runMachine(counter, {
    perform: async (action) => {
      if (action === 'before 1') await new Promise<void>((resolve) => (release = resolve))
      order.push(action)
    },
    onFailed: t.fail,
  })
  machine.post(1)
  const settled = machine.settled().then(() => order.push('settled'))
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(order, [])
  release()
  await settled
  t.deepEqual(order, ['before 1', 'after 1', 'settled'])
})
