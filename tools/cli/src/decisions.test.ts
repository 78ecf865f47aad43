import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import type { StateView } from './api/views.js'
import { type Followed, type Outcome, outcomeOf } from './follow/decide.js'
import { bytes, duration, progressLine, wrap } from './output/format.js'
import { Terminal } from './output/terminal.js'

function state(role: StateView['role'], sub: StateView['sub'], stable: boolean): StateView {
  return {
    role,
    sub,
    stable,
    detail: undefined,
    cause: '',
    hint: undefined,
    sinceMs: 0,
    generation: undefined,
    progress: undefined,
    remote: undefined,
  }
}

const stop = state('STOP', 'NotReady', true)
const wait = state('WAIT', 'NotReady', true)
const starting = state('WAIT', 'Transient', false)
const alone = state('ALONE', 'Ready', true)
const prim = state('PRIM', 'Ready', true)
const second = state('SECOND', 'Ready', true)

test('an order has its result when the state is stable and what was asked, and not before', (t) => {
  const rest = { changed: true, heldMs: 0, sinceOrderMs: 100, timeoutMs: 60_000 }
  const cases: readonly (readonly [Outcome, Followed])[] = [
    ['going', { ...rest, order: 'prim', before: stop, now: starting }],
    ['reached', { ...rest, order: 'prim', before: stop, now: alone }],
    ['going', { ...rest, order: 'prim', before: stop, now: wait }],
    ['settled', { ...rest, order: 'prim', before: stop, now: wait, heldMs: 5000 }],
    ['reached', { ...rest, order: 'stop', before: prim, now: stop }],
    ['going', { ...rest, order: 'stopstart', before: prim, now: stop }],
    ['reached', { ...rest, order: 'stopstart', before: prim, now: second }],
    ['going', { ...rest, order: 'restart', before: prim, now: prim, changed: false }],
    [
      'reached',
      { ...rest, order: 'restart', before: prim, now: prim, changed: false, heldMs: 2000 },
    ],
    ['going', { ...rest, order: 'swap', before: prim, now: prim, changed: false }],
    ['reached', { ...rest, order: 'swap', before: prim, now: second }],
    ['reached', { ...rest, order: 'swap', before: second, now: prim }],
    ['settled', { ...rest, order: 'swap', before: prim, now: alone, heldMs: 5000 }],
    ['going', { ...rest, order: 'start', before: stop, now: wait }],
    ['reached', { ...rest, order: 'start', before: stop, now: wait, heldMs: 2000 }],
    ['timedOut', { ...rest, order: 'second', before: stop, now: starting, sinceOrderMs: 60_000 }],
    ['timedOut', { ...rest, order: 'second', before: stop, now: undefined, sinceOrderMs: 60_000 }],
  ]
  for (const [expected, followed] of cases) {
    t.is(outcomeOf(followed), expected, `${followed.order} ${followed.now?.role ?? ''}`)
  }
})

test('quantities are short and keep their magnitude', (t) => {
  t.deepEqual([0, 1023, 1024, 1_572_864, 123e9].map(bytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '115 GiB',
  ])
  t.deepEqual([-5, 900, 59_400, 61_000, 3_600_000, 90_061_000].map(duration), [
    '0s',
    '1s',
    '59s',
    '1m01s',
    '1h00m',
    '1d01h',
  ])
})

test('progress without totals does not invent a share', (t) => {
  const unknown = { filesTotal: undefined, bytesTotal: undefined, etaSeconds: undefined }
  const known = { phase: 'compare', filesDone: 3, bytesDone: 10, bytesPerSecond: 5 } as const
  t.is(progressLine({ ...known, ...unknown }), 'compare · 10 B · 3 files · 5 B/s')
  const line = progressLine({ ...known, filesTotal: 4, bytesTotal: 40, etaSeconds: 6 })
  t.is(line, 'compare 25% · 10 B of 40 B · 3/4 files · 5 B/s · 6s left')
})

test('long text is wrapped between words and nothing of it is lost', (t) => {
  const text = 'this copy was never current: it waits for a node with good data'
  const lines = wrap(text, 30)
  t.deepEqual(lines, ['this copy was never current:', 'it waits for a node with good', 'data'])
  t.deepEqual(wrap('x'.repeat(60), 30), ['x'.repeat(30), 'x'.repeat(30)])
  t.deepEqual(wrap('', 30), [''])
})

test('a failure is cut between words for a screen, and stays one line in a file', (t) => {
  const told = (isTTY: boolean): string => {
    let text = ''
    const err = { isTTY, columns: 40, write: (part: string) => (text += part) }
    const error = new HoldfastError('E_X', 'the address is in use on the network by another', {
      hint: 'choose another one',
    })
    new Terminal({ write: () => {} }, err, {}).failure(error)
    return text
  }
  t.is(
    told(true),
    'holdfast: the address is in use on the\n    network by another  [E_X]\n  next: choose another one\n',
  )
  t.is(told(false).split('\n').length, 3)
})
