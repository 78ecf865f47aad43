/** The schedule is what its seed says, and the judgement can say no. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { History, seedIn } from './history.js'
import { type KindName, kindNames, kindOf, silencePrimary } from './kinds.js'
import {
  held,
  isFalseFailover,
  reportOf,
  type RoundResult,
  spreadOf,
  takeoverSince,
} from './report.js'
import { type Conditions, type Round, roundOf } from './schedule.js'
import { jsonLine, reportText } from './text.js'
import { timesOf } from './times.js'
import { versionFor } from './versions.js'

const good: RoundResult = {
  number: 1,
  happened: [{ kind: 'power-off-primary', atMs: 100 }],
  tookMs: 4_000,
  wholeMs: 900,
  moved: 1,
  cause: 'n1 is silent',
  resets: 0,
  takeoverMs: 1500,
  lost: [],
  doubleRuns: [],
  trouble: '',
}

const unguarded: Conditions = { kinds: kindNames(), times: timesOf(1_000, undefined) }
const guarded: Conditions = { ...unguarded, times: { ...timesOf(3_000, 8), stretch: 1 } }

function namesOf({ faults }: Round): readonly KindName[] {
  return faults.map(({ kind }) => kind)
}

function afterOne(kind: KindName, resets = 0): RoundResult {
  return { ...good, happened: [{ kind, atMs: 1 }], resets }
}

test('a round is the same each time it is drawn, and another with another seed', (t) => {
  const drawn = (seed: number) =>
    Array.from({ length: 20 }, (_, index) => roundOf(seed, index + 1, guarded))
  t.deepEqual(drawn(7), drawn(7))
  t.notDeepEqual(drawn(7), drawn(8))
})

test('every kind is drawn within 1,000 rounds, and held as long as it may be', (t) => {
  const rounds = Array.from({ length: 1000 }, (_, number) => roundOf(1, number, guarded))
  const faults = rounds.flatMap((round) => round.faults)
  for (const name of kindNames()) {
    const [least, most] = kindOf(name).holdMs
    const drawn = faults.filter((fault) => fault.kind === name)
    t.true(drawn.length > 0, name)
    t.true(
      drawn.every(({ holdMs }) => holdMs >= least && holdMs <= most),
      name,
    )
  }
})

test('a primary falls silent while its application runs only where a watchdog ends that', (t) => {
  const silent = (conditions: Conditions): boolean =>
    Array.from({ length: 2000 }, (_, number) => roundOf(3, number, conditions)).some((round) =>
      silencePrimary(namesOf(round)),
    )
  t.true(silencePrimary(['freeze-plane-primary', 'kill-daemon-primary']))
  t.false(silent(unguarded))
  t.true(silent(guarded))
})

test('round 53 of seed 3, in which the application ran twice without a watchdog, is drawn with one', (t) => {
  const kinds = kindNames().filter((name) => !name.startsWith('upgrade-'))
  const drawn = roundOf(3, 53, { ...guarded, kinds })
  t.deepEqual(namesOf(drawn), ['freeze-plane-primary', 'kill-daemon-primary'])
})

test('an upgrade of the primary silences it only together with what silences its other half', (t) => {
  t.false(silencePrimary(['upgrade-primary']))
  t.false(silencePrimary(['upgrade-primary', 'kill-plane-secondary']))
  t.true(silencePrimary(['upgrade-primary', 'separate']))
  t.true(silencePrimary(['kill-daemon-primary', 'upgrade-both']))
})

test('an upgrade catches up with the other node, and never installs what a node has', (t) => {
  t.is(versionFor([0, 0], [0]), 1)
  t.is(versionFor([1, 0], [0]), 1)
  t.is(versionFor([1, 0], [1]), 2)
  t.is(versionFor([1, 0], [1, 0]), 2)
})

test('all times of a round are stretched', (t) => {
  const slow = roundOf(3, 53, { ...guarded, times: { ...guarded.times, stretch: 2 } })
  t.deepEqual(
    slow.faults.map(({ afterMs, holdMs }) => [afterMs / 2, holdMs / 2]),
    roundOf(3, 53, guarded).faults.map(({ afterMs, holdMs }) => [afterMs, holdMs]),
  )
})

test('with a watchdog the longest faults outlast a take-over, and a node never stands still for a time-out and goes on', (t) => {
  const { timeoutMs, service, stretch } = timesOf(3_000, 8)
  t.is(service, 'right_timeout="1500ms" takeover_delay="10500ms"')
  t.true(kindOf('cut-primary').holdMs[1] * stretch > timeoutMs + 10_500)
  t.true(kindOf('freeze-primary').holdMs[1] * stretch < timeoutMs)
  t.is(timesOf(1_000, undefined).stretch, 1)
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
  t.true(isFalseFailover(afterOne('kill-daemon-primary')))
  t.false(isFalseFailover(afterOne('swap')))
  t.false(isFalseFailover({ ...afterOne('loss'), moved: 0 }))
})

test('a reset by the watchdog excuses a failover only of what stood still', (t) => {
  t.true(isFalseFailover(afterOne('freeze-daemon-primary')))
  t.false(isFalseFailover(afterOne('freeze-daemon-primary', 1)))
  t.true(isFalseFailover(afterOne('kill-daemon-primary', 1)))
  t.is(takeoverSince(afterOne('freeze-daemon-primary', 1).happened, 1), 1)
})

test('faults that together silence or isolate a primary make it look lost', (t) => {
  const killed = { kind: 'kill-daemon-primary', atMs: 1 } as const
  const separate = { kind: 'separate', atMs: 1 } as const
  t.false(isFalseFailover({ ...good, happened: [killed, separate] }))
  t.true(isFalseFailover({ ...good, happened: [separate] }))
  const noWitness = { kind: 'kill-witness', atMs: 1 } as const
  t.true(isFalseFailover({ ...good, happened: [noWitness] }))
  t.false(isFalseFailover({ ...good, happened: [noWitness, separate] }))
})

test('a take-over is timed from the fault, and only when nobody but the primary was hit', (t) => {
  const off = { kind: 'power-off-primary', atMs: 5 } as const
  t.is(takeoverSince([{ kind: 'kill-daemon-primary', atMs: 1 }, off], 0), 5)
  t.is(takeoverSince([{ kind: 'kill-daemon-secondary', atMs: 1 }, off], 0), undefined)
  t.is(takeoverSince([{ kind: 'stop-start-primary', atMs: 1 }, off], 0), undefined)
  t.is(takeoverSince([{ kind: 'kill-daemon-primary', atMs: 1 }], 0), undefined)
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

test('the report fits a terminal of 100 columns, whatever happened', (t) => {
  const everything = kindNames().map((kind) => ({ kind, atMs: 1 }))
  const falsely = {
    ...afterOne('one-way-from-secondary'),
    happened: Array.from(
      { length: 3 },
      () => ({ kind: 'one-way-from-secondary', atMs: 1 }) as const,
    ),
    cause: 'replication was lost: nothing was heard for 5500 ms, and then some more',
  }
  const many = Array.from({ length: 200 }, () => ({ ...good, happened: everything }))
  const text = reportText(reportOf([...many, falsely], true), 999_999_999)
  for (const line of text.split('\n')) t.true(line.length <= 100, line)
  t.regex(text, /false failovers +1\n/)
  t.regex(text, /200 swap/)
})

test('pieces of a campaign add up, also after one that was cut off in the middle of a line', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'))
  const file = join(directory, 'history')
  const head = { seed: 7, app: 'ledger', times: 'short', kinds: 'swap' }
  const first = await History.open(file, head)
  t.is(first.next(1), 1)
  await first.add(good)
  await first.endOfPiece(false)
  appendFileSync(file, '{"result":{"number":2,')
  t.is(await seedIn(file), 7)
  const second = await History.open(file, head)
  t.is(second.next(1), 2)
  await second.add({ ...good, number: 2, wholeMs: undefined })
  await second.endOfPiece(true)
  const all = await History.open(file, head)
  t.is(all.next(1), 3)
  const report = reportOf(all.results, all.replicasDiffer)
  t.like(report, { faults: 2, rounds: 2, unhealed: 1, replicasDiffer: true })
  await t.throwsAsync(History.open(file, { ...head, times: 'long' }), {
    message: /begun with times short, this is long/,
  })
  rmSync(directory, { recursive: true })
})
