/** The list of what a sweep does not reach says no more and no less than what is so. */
import test from 'ava'
import { machines } from './machines.js'
import { complaintsOf, parseReasons, reasonsOf } from './unreached.js'

const reasons = parseReasons('# a comment\n\nm | b + x | never\nm | c* | rare: seldom\n')

test('what is neither reached nor listed is named', (t) => {
  t.deepEqual(complaintsOf(['a + x', 'b + x', 'c + x'], ['a + x', 'b + x'], reasons), [
    'not reached, and no reason why: a + x',
  ])
})

test('what is listed and reached is named, unless it is rare', (t) => {
  t.deepEqual(complaintsOf(['b + x', 'c + x'], [], reasons), [
    'line 3 says that it is not reached: b + x',
  ])
})

test('a line that means no transition is named', (t) => {
  t.deepEqual(complaintsOf(['b + x'], ['b + x'], reasons), ['line 4 names no transition: c*'])
})

test('a line without a reason is refused with its number and what is expected', (t) => {
  t.throws(() => parseReasons('m | a + x | why\nm | b + x\n'), { message: /line 2: "m \| b \+ x"/ })
})

test('each line of the list belongs to a machine and names what that machine can do', (t) => {
  const unknown = (all: readonly string[]): string[] => all.filter((one) => one.startsWith('line '))
  for (const { name, transitions } of machines) {
    t.deepEqual(unknown(complaintsOf(transitions, transitions, reasonsOf(name))), [])
  }
})
