/** Deadlines, turns and schedules. */
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { nextDue, systemClock } from './clock.js'
import { within } from './deadline.js'
import { Serial } from './serial.js'

test('a wait ends at its deadline, and the late failure of the work is ignored', async (t) => {
  let fail: (cause: Error) => void = () => undefined
  const work = new Promise<void>((_, reject) => {
    fail = reject
  })
  const error = await t.throwsAsync(within(systemClock, 10, 'the work', work), {
    instanceOf: HoldfastError,
  })
  t.is(error.code, 'E_TIMEOUT')
  fail(new Error('late'))
  t.is(await within(systemClock, 1_000, 'the work', Promise.resolve(7)), 7)
})

test('turns are taken in order, a failure does not break the row, and too many are refused', async (t) => {
  const serial = new Serial('the test', 3)
  const order: number[] = []
  const first = serial.run(async () => {
    await Promise.resolve()
    order.push(1)
    throw new Error('one')
  })
  const second = serial.run(() => Promise.resolve(order.push(2)))
  const third = serial.run(() => Promise.resolve(order.push(3)))
  const refused = await t.throwsAsync(
    serial.run(() => Promise.resolve(4)),
    { instanceOf: HoldfastError },
  )
  t.is(refused.code, 'E_BUSY')
  await t.throwsAsync(first, { message: 'one' })
  await Promise.all([second, third])
  t.deepEqual(order, [1, 2, 3])
})

test('a malformed schedule is refused, a good one can be cancelled', (t) => {
  const error = t.throws(() => systemClock.cron('61 * * * *', () => undefined), {
    instanceOf: HoldfastError,
  })
  t.is(error.code, 'E_CONFIG_CRON')
  const cancel = systemClock.cron('0 3 * * *', () => undefined)
  t.notThrows(cancel)
  t.notThrows(cancel, 'twice')
})

test('short periods meet at their multiples, and a timer that comes early or late makes no turn more', (t) => {
  t.is(nextDue(1_010, -Infinity, 250), 1_250)
  t.is(nextDue(1_130, -Infinity, 500), 1_500)
  t.is(nextDue(1_249, 1_250, 250), 1_500, 'a timer that came early')
  t.is(nextDue(1_250, 1_250, 250), 1_500)
  t.is(nextDue(1_499, 1_250, 250), 1_500, 'a late one keeps the beat')
  t.is(nextDue(9_120, 1_250, 250), 9_250, 'turns that were missed are not made up for')
})

test('what is repeated goes on until it is cancelled, also from within', async (t) => {
  let turns = 0
  await new Promise<void>((resolve) => {
    const cancel = systemClock.every(1, () => {
      turns += 1
      if (turns < 3) return
      cancel()
      // A turn too many would come before this.
      systemClock.after(20, resolve)
    })
  })
  t.is(turns, 3)
})
