/** The mirror's machine through random histories: faults for a while, then healing. Guards G1 to G4. */
import test from 'ava'
import { Coverage, transitions } from './coverage.js'
import { hasFailed, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { standardHistories } from './profile.js'
import { reportOf } from './report.js'
import { shrink } from './shrink.js'
import { add, sweep } from './sweep.js'

const histories = Number(process.env['HOLDFAST_SEEDS'] ?? standardHistories)
/** The standard sweep reaches all but so many of the transitions that the long run reaches. */
const unreachedMax = 45

test('G1 G2 G3 G4: in no history is a promise broken, and each pair heals', (t) => {
  const coverage = new Coverage()
  for (let seed = 1; seed <= histories; seed += 1) {
    const outcome = runHistory({ seed, coverage })
    if (hasFailed(outcome)) {
      t.fail(reportOf(shrink(outcome)))
      return
    }
  }
  const unreached = coverage.unreached()
  t.log(
    `${histories} histories, ${unreached.length} of ${transitions.length} transitions unreached`,
  )
  // A shorter sweep than the standard one says nothing about what can be reached.
  if (histories >= standardHistories) t.true(unreached.length <= unreachedMax, unreached.join('\n'))
  t.pass()
})

test('one seed is one history, to the last line of its trace', (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const first = runHistory({ seed, traced: true })
    const second = runHistory({ seed, traced: true })
    t.true(first.trace.length > 100)
    t.deepEqual(first, second)
  }
})

test('a history is the same whether it is traced or not', (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { trace, ...traced } = runHistory({ seed, traced: true })
    t.true(trace.length > 0)
    t.deepEqual({ ...traced, trace: [] }, runHistory({ seed }))
  }
})

test('ranges that are swept apart add up to the sweep of all', (t) => {
  const whole = sweep({ from: 1, count: 30, profile: undefined })
  const first = sweep({ from: 1, count: 10, profile: undefined })
  const second = sweep({ from: 11, count: 20, profile: undefined })
  t.is(whole.histories, 30)
  t.deepEqual(add(first, second), whole)
})

test('a history of the tests is long: writes are acknowledged, and faults hit a working pair', (t) => {
  const tally = sweep({ from: 1, count: 100, profile: 'witness' })
  t.true(tally.events / tally.histories > 800, `${tally.events} events`)
  t.true(tally.acknowledged / tally.histories > 100, `${tally.acknowledged} writes`)
})

test('a failing history is shortened to lines that still make it fail', (t) => {
  const mutation = mutants.find(({ name }) => name === 'releases-before-persisting')?.mutation
  if (mutation === undefined) {
    t.fail('the mutant is gone')
    return
  }
  let seed = 1
  while (!hasFailed(runHistory({ seed, mutation }))) seed += 1
  const long = runHistory({ seed, mutation })
  const short = shrink(long, mutation)
  t.log(`${long.lines.length} lines became ${short.lines.length}: ${short.lines.join('; ')}`)
  t.true(short.lines.length < long.lines.length)
  t.true(hasFailed(runHistory({ seed, lines: short.lines, mutation })))
  t.false(hasFailed(runHistory({ seed, lines: short.lines })))
})
