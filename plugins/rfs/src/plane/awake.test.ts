import test from 'ava'
import { staysAwake } from './awake.js'

test('processors are kept awake by a stream of work, not by a trickle, and do not waver at the limit', (t) => {
  t.false(staysAwake(false, 20, 100), 'two hundred rounds in a second are a trickle')
  t.true(staysAwake(false, 50, 100), 'five hundred are a stream')
  t.true(staysAwake(true, 30, 100), 'what began goes on at a lower rate')
  t.false(staysAwake(true, 24, 100))
  t.false(staysAwake(true, 0, 1), 'nothing is no work, however short the time')
  t.false(staysAwake(false, 50, 1000), 'a late timer does not turn a trickle into a stream')
})
