/** The sums of the times after which one node has stopped and the other one begins, at their edges. */
import type { Delays } from '@holdfast/sdk'
import test from 'ava'
import { checkTiming, jitterMs, type Times } from './timing.js'

const alone: Times = {
  hasWitness: false,
  isolation: 'alone',
  timeoutMs: 5_000,
  rightTimeoutMs: 3_000,
  takeoverDelayMs: 5_000,
}
const witnessed: Times = { ...alone, hasWitness: true, isolation: 'wait' }
const required: Delays = { watchdogMs: 10_000, watchdogRequired: true }

test('without a witness a watchdog must have reset a machine that stands still before the other node takes over', (t) => {
  const timeoutMs = 10_000 + jitterMs
  t.is(checkTiming({ ...alone, timeoutMs }, required)?.level, 'error')
  t.is(checkTiming({ ...alone, timeoutMs: timeoutMs + 1 }, required), undefined)
  t.is(checkTiming(alone, { watchdogMs: 10_000 })?.level, 'warning')
  const { message = '', path } = checkTiming(alone, required) ?? {}
  t.is(path, '/heart/timeout')
  t.regex(message, /takes over 5 s .*reset only 11 s .*: 10 s \(<watchdog timeout>\) \+ 1 s/)
})

test('with a witness the time to get a right, the watchdog and the jitter must fit into the delay of the other node', (t) => {
  const takeoverDelayMs = 3_000 + jitterMs + 10_000
  t.is(checkTiming({ ...witnessed, takeoverDelayMs }, required), undefined)
  const short = { ...witnessed, takeoverDelayMs: takeoverDelayMs - 1 }
  t.is(checkTiming(short, required)?.level, 'error')
  t.is(checkTiming(short, { watchdogMs: 10_000 })?.level, 'warning')
  const { message = '', path } = checkTiming(witnessed, required) ?? {}
  t.is(path, '/service/takeover_delay')
  t.regex(message, /begins 5 s .* down only 14 s after it: 3 s \(right_timeout.*\) \+ 1 s/)
  t.regex(message, /10 s \(<watchdog timeout>.*Write takeover_delay="14s" at least/)
})

test('a replication link that is lost later than the heartbeats are missed delays the stop of a primary', (t) => {
  const delays = { linkMs: 7_000, stopMs: 500 }
  const { level, message = '' } = checkTiming(witnessed, delays) ?? {}
  t.is(level, 'error')
  t.regex(message, /begins to stop only 6 s .*2 s \(<rfs timeout> beyond <heart timeout>\)/)
  t.is(checkTiming({ ...witnessed, takeoverDelayMs: 6_000 }, delays)?.level, 'warning')
})

test('without a watchdog it is said what is not covered, and how long the application may take to stop', (t) => {
  const said = (times: Times, delays: Delays): string => checkTiming(times, delays)?.message ?? ''
  t.regex(said(alone, {}), /stands still for longer than 4 s/)
  t.regex(said(witnessed, { stopMs: 60_000 }), /longer than 9 s.*longer than 1 s to stop.*60 s\)/)
  t.notRegex(said(witnessed, { stopMs: 1_000 }), /to stop its application/)
})

test('where nobody takes over by itself there is no sum to check', (t) => {
  t.is(checkTiming({ ...alone, isolation: 'wait' }, required), undefined)
  t.is(checkTiming({ ...alone, isolation: 'wait' }, {}), undefined)
})
