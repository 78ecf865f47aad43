import test from 'ava'
import { countLoop, isOverMaxloop } from './maxloop.js'

const hourMs = 3_600_000
const limit = { maxloop: 3, loopIntervalMs: 24 * hourMs }

/** Whether each of the interruptions at these times stops the module. */
function stops(times: readonly number[], own = limit): readonly boolean[] {
  let loops: readonly number[] = []
  return times.map((at) => {
    loops = countLoop(loops, at, own)
    return isOverMaxloop(loops, own)
  })
}

test('the fourth interruption within the interval is too many, and one that is older does not count', (t) => {
  t.deepEqual(stops([0, hourMs, 2 * hourMs, 23 * hourMs]), [false, false, false, true])
  t.deepEqual(stops([0, hourMs, 2 * hourMs, 24 * hourMs]), [false, false, false, false])
  t.true(stops([0, hourMs, 2 * hourMs, 24 * hourMs, 24.5 * hourMs]).at(-1))
})

test('nobody counts when the interval is 0, and with maxloop 0 the first one is too many', (t) => {
  t.false(stops([1, 2, 3, 4, 5], { maxloop: 3, loopIntervalMs: 0 }).includes(true))
  t.deepEqual(stops([1], { ...limit, maxloop: 0 }), [true])
})

test('what a clock that was set back left in the future does not count', (t) => {
  t.deepEqual(stops([10, 11, 12, 1].map((hours) => hours * hourMs)).at(-1), false)
})

test('what is kept has a maximum, and even the greatest limit can be passed', (t) => {
  const most = { maxloop: 100, loopIntervalMs: hourMs }
  const times = Array.from({ length: 1_000 }, (_, at) => at)
  t.is(stops(times, most).indexOf(true), 100)
  t.is(times.reduce<readonly number[]>((loops, at) => countLoop(loops, at, most), []).length, 101)
})
