import test from 'ava'
import { HoldfastError } from './errors.js'
import { looking } from './looking.js'
import { settled, TestClock } from './testing/index.js'

const times = { everyMs: 10_000, timeoutMs: 2_000 }

test('what a look resolves with is up, what it rejects with is down, at once and at each period', async (t) => {
  const clock = new TestClock()
  const said: string[] = []
  let fails = false
  const checker = looking(clock, times, () =>
    fails ? Promise.reject(new Error('refused')) : Promise.resolve('it answers'),
  )
  await checker.start((value, cause) => said.push(`${value}: ${cause}`))
  await settled()
  fails = true
  await clock.pass(10_000)
  t.deepEqual(said, ['up: it answers', 'down: refused'])
  await checker.stop()
  t.is(clock.pending, 0)
})

test('a look that hangs is down after its time, is told so, and its late answer is ignored', async (t) => {
  const clock = new TestClock()
  const said: string[] = []
  const late: ((text: string) => void)[] = []
  const signals: AbortSignal[] = []
  const checker = looking(clock, times, (signal) => {
    signals.push(signal)
    return new Promise((resolve) => late.push(resolve))
  })
  await checker.start((value, cause) => said.push(`${value}: ${cause}`))
  await clock.pass(2_000)
  t.deepEqual(said, ['down: no answer within 2000 ms'])
  t.true(signals[0]?.aborted)
  late[0]?.('late')
  await clock.pass(8_000)
  t.is(said.length, 1)
  t.is(signals.length, 2)
  await checker.stop()
  late[1]?.('after the stop')
  await clock.pass(60_000)
  t.is(said.length, 1)
  t.true(signals[1]?.aborted)
  t.is(clock.pending, 0)
})

test('what was up is down only after so many looks in a row, and a look may say that it can not be said', async (t) => {
  const clock = new TestClock()
  const said: string[] = []
  const answers = 'up down up down fails down up down down down'.split(' ')
  let turn = 0
  const checker = looking(clock, { ...times, downAfter: 2 }, () => {
    const answer = answers[turn++]
    if (answer === 'fails') throw new HoldfastError('E_TEST', 'the command is missing')
    return Promise.resolve({ value: answer === 'up' ? 'up' : 'down', cause: 'seen' })
  })
  await checker.start((value) => said.push(value))
  await clock.pass(90_000)
  await checker.stop()
  t.is(said.join(' '), 'up up up up unknown down up up down down')
})
