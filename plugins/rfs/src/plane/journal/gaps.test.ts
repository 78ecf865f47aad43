/** When nobody was in charge: what the journal remembers of it, whatever the clock did meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { encodeHeader } from './format.js'
import { openJournal } from './file.js'
import { type Gap, closedGaps, gapAtOpen, isForeign, withGap } from './gaps.js'
import { Keys } from './keys.js'

const hour = 3_600_000
const never = (): boolean => false

/** The gap between a charge that ended at 10 o'clock and one that begins at 11, and whether a change in it at this time is noticed. */
function notices(atHour: number, moved: { bootedHour?: number; atHour?: number } = {}): boolean {
  const isSameBoot = moved.bootedHour === undefined || moved.bootedHour < 0
  const bootedMs = (isSameBoot ? 1 : (moved.bootedHour ?? 0)) * hour
  const now = { atMs: (moved.atHour ?? 11) * hour, bootedMs }
  const wentBackMs = 11 * hour - now.atMs
  const left = { untilMs: 10 * hour, crashed: false, isSameBoot, bootedMs: hour }
  const gap = gapAtOpen(left, isSameBoot ? { ...now, bootedMs: hour - wentBackMs } : now)
  const gaps = closedGaps([gap], now.atMs)
  return isForeign(gaps, { seconds: atHour * 3_600, nanos: 1 }, never)
}

test('a change in a gap is noticed, and one before or after it is not', (t) => {
  t.true(notices(10))
  t.true(notices(10.5))
  t.true(notices(11))
  t.false(notices(9.99))
  t.false(notices(11.01))
})

test('a clock that was set back makes a gap longer, never shorter', (t) => {
  // By two hours, in the gap: what was changed at half past ten has the time of half past eight, or of half past ten.
  t.true(notices(8.5, { atHour: 9 }))
  t.true(notices(10.5, { atHour: 9 }))
  t.false(notices(7.9, { atHour: 9 }))
  // Started again, and the clock says that this was before it was stopped.
  t.true(notices(3, { bootedHour: 2.5, atHour: 3 }))
  t.true(notices(10.5, { bootedHour: 2.5, atHour: 3 }))
  t.false(notices(2.4, { bootedHour: 2.5, atHour: 3 }))
  // Started again as it should be.
  t.true(notices(10.2, { bootedHour: 10.1 }))
  t.false(notices(9.9, { bootedHour: 10.1 }))
})

test('of a data plane that died, what its keys tell of is its own change', (t) => {
  const left = { untilMs: 10 * hour, crashed: true, isSameBoot: true, bootedMs: hour }
  const gaps = closedGaps([gapAtOpen(left, { atMs: 11 * hour, bootedMs: hour })], 11 * hour)
  const changed = { seconds: 10.5 * 3_600, nanos: 1 }
  const keys = new Keys()
  keys.addZone(0, 'd/file', 3)
  keys.addEntry(0, 'd/new')
  t.false(isForeign(gaps, changed, () => keys.tellsOf(0, 'd/file')))
  t.false(isForeign(gaps, changed, () => keys.tellsOf(0, 'd')))
  t.true(isForeign(gaps, changed, () => keys.tellsOf(0, 'd/other')))
  t.true(isForeign(gaps, changed, () => keys.tellsOf(0, '')))
})

test('a file system with whole seconds only hides nothing', (t) => {
  const gaps: readonly Gap[] = [{ fromMs: 5_500, toMs: 9_000, crashed: false }]
  t.true(isForeign(gaps, { seconds: 5, nanos: 0 }, never))
  t.false(isForeign(gaps, { seconds: 5, nanos: 400_000_000 }, never))
  t.false(isForeign(gaps, { seconds: 4, nanos: 0 }, never))
})

test('gaps are kept over processes until a copy is finished, few of them, and none is forgotten', (t) => {
  const directory = mkdtempSync(join(tmpdir(), `rfs-gaps-${process.pid}-`))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const open = (isCovered = false): ReturnType<typeof openJournal> =>
    openJournal({ directory, zoneBytes: 65_536, bootId: 'this boot', isCovered })
  const first = open()
  t.deepEqual(first.gaps, [], 'a new journal is not trusted: everything is compared')
  first.trust('base')
  first.takeCharge()
  first.endCharge()
  const from = Date.now()
  first.closeClean()
  for (let times = 0; times < 9; times += 1) {
    const journal = open()
    t.is(journal.gaps.at(-1)?.toMs, undefined, 'nobody is in charge yet')
    journal.takeCharge()
    journal.endCharge()
    journal.closeClean()
  }
  const until = Date.now()
  const { gaps } = open(true)
  t.true(gaps.length <= 3)
  t.true((gaps[0]?.fromMs ?? Infinity) <= from)
  t.true(Number(gaps.at(-1)?.toMs) >= from && Number(gaps.at(-1)?.toMs) <= until + 1_000)
  const covered = open(true)
  t.deepEqual(covered.gaps, gaps, 'mounts that stayed let nobody in')
  covered.trust('next')
  t.deepEqual(covered.gaps, [])
  t.deepEqual(open(true).gaps, [])
  t.is(open().gaps.length, 1)
  open().distrust('a test says so')
  t.deepEqual(open().gaps, [])
})

test('the header of the journal has room for all gaps', (t) => {
  const gap: Gap = { fromMs: -1_763_751_111_123, toMs: 'endless', crashed: false }
  const gaps = [gap, gap, gap, gap, gap].reduce<readonly Gap[]>(withGap, [])
  t.is(gaps.length, 3)
  const header = encodeHeader({
    format: 1,
    bootId: '01234567-89ab-cdef-0123-456789abcdef',
    zoneBytes: 1_048_576,
    base: `${'0'.repeat(32)}/${'0'.repeat(16)}/${'0'.repeat(16)}`,
    trusted: true,
    why: undefined,
    clean: true,
    gaps,
    bootedMs: 1_763_751_111_123,
    untilMs: 1_763_751_111_123,
  })
  t.is(header.length, 512)
})
