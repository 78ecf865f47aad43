/** The inequality between heartbeat and watchdog, at its edge. */
import test from 'ava'
import { checkTiming, jitterMs } from './timing.js'

test('a watchdog must have reset the machine before the other node takes over, by more than the jitter', (t) => {
  const required = { watchdogMs: 10_000, watchdogRequired: true }
  t.is(checkTiming(10_000 + jitterMs, required)?.level, 'error')
  t.is(checkTiming(10_000 + jitterMs + 1, required), undefined)
})

test('the error shows the sum and both elements that can be changed', (t) => {
  const { message } = checkTiming(5_000, { watchdogMs: 10_000, watchdogRequired: true }) ?? {}
  t.regex(message ?? '', /takes over 5 s .*reset only 11 s .*: 10 s \(<watchdog timeout>\) \+ 1 s/)
  t.regex(message ?? '', /longer <heart timeout> or a shorter <watchdog timeout>/)
})

test('a watchdog that nobody requires, or none at all, is a warning that says what is covered', (t) => {
  t.is(checkTiming(5_000, { watchdogMs: 10_000 })?.level, 'warning')
  const none = checkTiming(600_000, {})
  t.is(none?.level, 'warning')
  t.regex(none?.message ?? '', /Covered are crashes, power cuts/)
})
