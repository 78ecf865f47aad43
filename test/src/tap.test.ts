/** The count that decides about the whole test run must be right itself. */
import test from 'ava'
import { concluded, countLine, nothingCounted, point, slowest, sum, summary } from './tap.js'

const lines = (text: string) => text.split('\n').reduce(countLine, nothingCounted)

test('points are counted, explanations are not', (t) => {
  const count = lines(
    'TAP version 13\nok 1 - a › fine\nnot ok 2 - a › broken\n  ---\n  message: ok 7 - no\n  ...\n' +
      'ok 3 - a › later # SKIP\nnot ok 4 - a › some day # TODO\n\n1..4\n# tests 3\n# pass 1',
  )
  t.deepEqual(count, { passed: 1, failed: 1, skipped: 2 })
})

test('a title that speaks of skipping is not skipped', (t) => {
  t.is(lines('ok 1 - it does not SKIP anything').passed, 1)
})

test('a runner that crashed is a failure although no test failed', (t) => {
  t.is(concluded(lines('ok 1 - fine'), 1).failed, 1)
  t.is(concluded(lines('ok 1 - fine'), undefined).failed, 1)
  t.is(concluded(lines('not ok 1 - broken'), 1).failed, 1)
})

test('a run without any test is a failure', (t) => {
  t.is(concluded(nothingCounted, 0).failed, 1)
  t.is(concluded(lines('ok 1 - fine'), 0).failed, 0)
})

test('the summary names skipped tests only when there are any', (t) => {
  t.is(summary(sum([lines('ok 1 - a'), lines('not ok 1 - b')])), '1 passed, 1 failed')
  t.is(summary(lines('ok 1 - a # SKIP')), '0 passed, 0 failed, 1 skipped')
})

test('a point has a verdict and a title, an explanation has none', (t) => {
  t.deepEqual(point('not ok 3 - a › b - c'), { verdict: 'not ok 3', title: 'a › b - c' })
  t.is(point('  message: ok 7 - no'), undefined)
})

test('the slowest files are named first, and no more than asked', (t) => {
  const times = new Map([
    ['quick', 100],
    ['slow', 61_040],
    ['middle', 2000],
  ])
  const [head = '', ...lines] = slowest(times, 2)
  t.regex(head, /63\.1 s in 3 files/)
  t.deepEqual(
    lines.map((line) => line.replace(/\s+/g, ' ')),
    ['# 61.0 s slow', '# 2.0 s middle'],
  )
})
