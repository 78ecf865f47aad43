/** The schedule is what its seed says, and the judgement can say no. */
import test from 'ava'
import { kindNames, kindOf, needWatchdog } from './kinds.js'
import {
  held,
  isFalseFailover,
  jsonLine,
  reportOf,
  type RoundResult,
  spreadOf,
  takeoverSince,
} from './report.js'
import { roundOf } from './schedule.js'

const good: RoundResult = {
  number: 1,
  happened: [{ kind: 'power-off-primary', atMs: 100 }],
  wholeMs: 900,
  moved: 1,
  takeoverMs: 1500,
  lost: [],
  doubleRuns: [],
  trouble: '',
}

test('a round is the same each time it is drawn, and another with another seed', (t) => {
  const kinds = kindNames()
  const drawn = (seed: number) =>
    Array.from({ length: 20 }, (_, index) => roundOf(seed, index + 1, kinds))
  t.deepEqual(drawn(7), drawn(7))
  t.notDeepEqual(drawn(7), drawn(8))
})

test('every kind is drawn within 1,000 rounds, and held as long as it may be', (t) => {
  const kinds = kindNames()
  const faults = Array.from({ length: 1000 }, (_, number) => roundOf(1, number, kinds)).flatMap(
    (round) => round.faults,
  )
  for (const name of kinds) {
    const [least, most] = kindOf(name).holdMs
    const drawn = faults.filter((fault) => fault.kind === name)
    t.true(drawn.length > 0, name)
    t.true(
      drawn.every(({ holdMs }) => holdMs >= least && holdMs <= most),
      name,
    )
  }
})

test('no round silences both the daemon of the primary and the way of its data', (t) => {
  const rounds = Array.from({ length: 5000 }, (_, number) => roundOf(3, number, kindNames()))
  t.true(needWatchdog(['freeze-plane-primary', 'kill-daemon-primary']))
  t.false(rounds.some(({ faults }) => needWatchdog(faults.map(({ kind }) => kind))))
})

test('a report without losses, double runs and unhealed rounds holds, and one with any does not', (t) => {
  t.true(held(reportOf([good], false)))
  t.false(held(reportOf([good], true)))
  t.false(held(reportOf([{ ...good, lost: ['w1-1'] }], false)))
  t.false(held(reportOf([{ ...good, doubleRuns: ['n1 and n2'] }], false)))
  t.false(held(reportOf([{ ...good, wholeMs: undefined }], false)))
  t.false(held(reportOf([], false)))
})

test('an entry that stays lost for many rounds is lost once', (t) => {
  const lost = { ...good, lost: ['w1-1', 'w1-2'] }
  t.is(reportOf([lost, lost], false).lost, 2)
})

test('a failover is false when nothing happened that makes a primary look lost', (t) => {
  t.false(isFalseFailover(good))
  t.true(isFalseFailover({ ...good, happened: [{ kind: 'kill-daemon-primary', atMs: 1 }] }))
  t.false(isFalseFailover({ ...good, happened: [{ kind: 'swap', atMs: 1 }] }))
  t.false(isFalseFailover({ ...good, moved: 0, happened: [{ kind: 'loss', atMs: 1 }] }))
})

test('a take-over is timed from the fault, and only when nobody but the primary was hit', (t) => {
  const off = { kind: 'power-off-primary', atMs: 5 } as const
  t.is(takeoverSince([{ kind: 'kill-daemon-primary', atMs: 1 }, off]), 5)
  t.is(takeoverSince([{ kind: 'kill-daemon-secondary', atMs: 1 }, off]), undefined)
  t.is(takeoverSince([{ kind: 'stop-start-primary', atMs: 1 }, off]), undefined)
  t.is(takeoverSince([{ kind: 'kill-daemon-primary', atMs: 1 }]), undefined)
})

test('the spread of times is 0 without times, and the 99th percentile is one that occurred', (t) => {
  t.deepEqual(spreadOf([]), { min: 0, median: 0, p99: 0 })
  t.deepEqual(spreadOf([30, 10, 20]), { min: 10, median: 20, p99: 30 })
})

test('the last line has exactly the fields that were promised', (t) => {
  t.is(
    jsonLine(reportOf([good], false), 7),
    '{"faults":1,"lost":0,"doubleRuns":0,"falseFailovers":0,"takeoverMs":{"min":1500,"median":1500,"p99":1500},"seed":7}',
  )
})
