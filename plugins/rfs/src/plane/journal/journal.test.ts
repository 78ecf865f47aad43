/** The journal: what it remembers, when it is believed, what it costs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import type { Journal, KeySet } from '../resync-port.js'
import { decodeInto } from './codec.js'
import { standingAtOpen, type JournalHeader } from './decide.js'
import { openJournal } from './file.js'
import { DIRECTORY_ENTRIES_MAX, Keys } from './keys.js'
import { HEADER_BYTES } from './format.js'

const ZONE = 65_536
const directories: string[] = []

function place(): string {
  const made = mkdtempSync(join(tmpdir(), `rfs-journal-${process.pid}-`))
  directories.push(made)
  return made
}

test.after.always(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

function open(directory: string, bootId = 'this boot', zoneBytes = ZONE): Journal {
  return openJournal({ directory, zoneBytes, bootId })
}

function listOf(set: KeySet): string[] {
  const keys = new Keys()
  decodeInto(set, keys)
  const list: string[] = []
  keys.visit({
    entry: (volume, path) => list.push(`entry ${volume} ${path}`),
    zones: (volume, path, zones) => list.push(`zones ${volume} ${path} ${zones.list().join()}`),
    meta: (volume, path) => list.push(`meta ${volume} ${path}`),
    names: (volume, path) => list.push(`names ${volume} ${path}`),
  })
  return list.sort()
}

/** A trusted journal in a new place. */
function fresh(): { journal: Journal; directory: string } {
  const directory = place()
  const journal = open(directory)
  journal.trust('base')
  return { journal, directory }
}

test('a journal opened again in the same boot holds every key that was flushed, whatever bytes its names have', (t) => {
  const { journal, directory } = fresh()
  journal.touchEntry(0, 'a/b')
  journal.touchZone(0, 'caf\xe9\xff\x01', 0)
  for (let zone = 5; zone < 40; zone += 1) journal.touchZone(1, 'big', zone * 3)
  journal.touchZone(1, 'big', 2 ** 30)
  journal.touchMeta(2, '')
  journal.flush()
  const again = open(directory)
  t.true(again.standing.trusted)
  t.is(again.standing.base, 'base')
  t.deepEqual(listOf(again.snapshot()), listOf(journal.snapshot()))
  t.is(listOf(again.snapshot()).length, 4)
})

test('a journal cut off at any byte is read up to there, and holds nothing that was not touched', (t) => {
  const { journal, directory } = fresh()
  const before: number[] = []
  for (let i = 0; i < 8; i += 1) {
    before.push(readFileSync(join(directory, 'journal')).length)
    journal.touchZone(0, `file ${i}`, i)
    journal.flush()
  }
  const whole = readFileSync(join(directory, 'journal'))
  const all = listOf(journal.snapshot())
  for (let cut = 0; cut < whole.length; cut += 1) {
    const other = place()
    writeFileSync(join(other, 'journal'), whole.subarray(0, cut))
    const read = open(other)
    const complete = before.filter((length) => length < cut).length - 1
    const expected = cut === whole.length ? all.length : Math.max(0, complete)
    t.is(read.standing.trusted, cut >= HEADER_BYTES, `cut at ${cut}`)
    if (!read.standing.trusted) t.deepEqual(listOf(read.snapshot()), [])
    else {
      const held = listOf(read.snapshot())
      t.true(held.length === expected || held.length === expected + 1, `cut at ${cut}`)
      t.deepEqual(held, all.slice(0, held.length))
    }
  }
})

test('a journal with a changed byte is not believed, or still holds every key', (t) => {
  const { journal, directory } = fresh()
  for (let i = 0; i < 4; i += 1) {
    journal.touchEntry(0, `name ${i}`)
    journal.flush()
  }
  const all = listOf(journal.snapshot())
  journal.closeClean()
  const whole = readFileSync(join(directory, 'journal'))
  for (let at = 0; at < whole.length; at += 1) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 0x41
    const other = place()
    writeFileSync(join(other, 'journal'), changed)
    const read = open(other)
    t.deepEqual(listOf(read.snapshot()), read.standing.trusted ? all : [], `byte ${at}`)
  }
})

test('after a restart of the machine a journal counts only when it was closed cleanly, and only once', (t) => {
  const { journal, directory } = fresh()
  journal.touchEntry(0, 'a')
  journal.flush()
  const restarted = open(directory, 'next boot')
  t.false(restarted.standing.trusted)
  t.regex(restarted.standing.why ?? '', /restarted without a clean stop/)
  t.deepEqual(listOf(restarted.snapshot()), [])

  const clean = fresh()
  clean.journal.touchEntry(0, 'a')
  clean.journal.closeClean()
  const second = open(clean.directory, 'next boot')
  t.true(second.standing.trusted)
  t.deepEqual(listOf(second.snapshot()), ['entry 0 a'])
  // It is open now: a power cut at this point must be noticed.
  t.false(open(clean.directory, 'boot after').standing.trusted)
})

test('distrust and trust are remembered by the next process', (t) => {
  const { journal, directory } = fresh()
  journal.distrust('a copy of everything was begun “ü”')
  const again = open(directory)
  t.false(again.standing.trusted)
  t.regex(again.standing.why ?? '', /copy of everything/)
  again.trust('another base')
  t.deepEqual(open(directory).standing, { trusted: true, why: undefined, base: 'another base' })
})

test('a journal of another zone size is not believed', (t) => {
  const { directory } = fresh()
  t.false(open(directory, 'this boot', 2 * ZONE).standing.trusted)
})

test('the rules of belief, one by one', (t) => {
  const now = { bootId: 'b', zoneBytes: ZONE }
  const header: JournalHeader = {
    format: 1,
    bootId: 'b',
    zoneBytes: ZONE,
    base: 'x',
    trusted: true,
    why: undefined,
    clean: false,
  }
  const trusted = (
    changes: Partial<JournalHeader>,
    tail: 'whole' | 'torn' | 'damaged' = 'whole',
  ): boolean => standingAtOpen({ header: { ...header, ...changes }, tail }, now).trusted
  t.true(trusted({}))
  t.true(trusted({}, 'torn'))
  t.false(trusted({}, 'damaged'))
  t.false(trusted({ clean: true }, 'torn'))
  t.true(trusted({ clean: true, bootId: 'a' }))
  t.false(trusted({ bootId: 'a' }))
  t.false(trusted({ trusted: false, clean: true }))
  t.false(standingAtOpen({ header: undefined, tail: 'whole' }, now).trusted)
  t.false(standingAtOpen({ header: 'unreadable', tail: 'whole' }, now).trusted)
})

test('keys of windows that both disks have are dropped, also for the next process; later touches of them stay', (t) => {
  const { journal, directory } = fresh()
  journal.touchZone(0, 'old', 1)
  journal.touchZone(0, 'both', 1)
  const stamp = journal.stamp
  const window = journal.openWindow()
  t.not(journal.stamp, stamp)
  journal.touchZone(0, 'both', 1)
  journal.touchZone(0, 'new', 1)
  journal.flush()
  t.is(listOf(journal.snapshot()).length, 3)
  t.true(journal.holds(0, 'old'))
  journal.dropBefore(window)
  t.false(journal.holds(0, 'old'))
  const left = ['zones 0 both 1', 'zones 0 new 1']
  t.deepEqual(listOf(journal.snapshot()), left)
  t.deepEqual(listOf(open(directory).snapshot()), left)
})

test('a recorded set holds what was touched since it was begun, and nothing else', (t) => {
  const { journal } = fresh()
  journal.touchEntry(0, 'before')
  journal.beginSet()
  journal.touchEntry(0, 'file')
  journal.touchZone(0, 'file', 0)
  journal.touchZone(0, 'file', 1)
  t.deepEqual(journal.setSize(), { keys: 3, bytes: 2 * ZONE })
  const stamp = journal.stamp
  // Zones of a file that is looked at as a whole say nothing more to the copy.
  t.deepEqual(listOf(journal.takeSet()), ['entry 0 file'])
  t.not(journal.stamp, stamp)
  journal.touchMeta(0, 'later')
  t.deepEqual(listOf(journal.takeSet()), ['meta 0 later'])
  // What is renamed has content that no zone tells of: it counts once, and only in its round.
  journal.touchEntry(0, 'renamed', 1_000)
  journal.touchEntry(0, 'renamed', 1_000)
  t.deepEqual(journal.setSize(), { keys: 1, bytes: 1_000 })
  journal.takeSet()
  t.deepEqual(journal.setSize(), { keys: 0, bytes: 0 })
  journal.endSet()
  t.deepEqual(journal.setSize(), { keys: 0, bytes: 0 })
  t.deepEqual(listOf(journal.snapshot()), [
    ...['entry 0 before', 'entry 0 file', 'entry 0 renamed', 'meta 0 later'],
  ])
})

test('too many names of one directory become the directory', (t) => {
  const keys = new Keys()
  for (let i = 0; i <= DIRECTORY_ENTRIES_MAX + 1; i += 1) keys.addEntry(0, `d/${i}`)
  keys.addEntry(0, 'other')
  const seen: string[] = []
  const fail = (): void => t.fail()
  keys.visit({ entry: (_, path) => seen.push(path), zones: fail, meta: fail, names: fail })
  t.deepEqual(seen.sort(), ['d', 'other'])
  t.is(keys.size, 2)
  t.true(keys.holds(0, 'd/77'))
  t.true(keys.covers(0, 'd/new/deeper'))
  t.false(keys.addEntry(0, 'd/one more'))
})

test('a journal on a full file system goes on, and the next process does not believe it', (t) => {
  const directory = place()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'rfs-journal-test', directory])
  try {
    const journal = open(directory)
    journal.trust('base')
    for (let i = 0; i < 3000; i += 1) {
      journal.touchEntry(0, `directory ${i % 7}/a name of some length ${i}`)
      journal.flush()
    }
    t.false(journal.standing.trusted)
    t.regex(journal.standing.why ?? '', /ENOSPC/)
    t.true(journal.holds(0, 'directory 2/a name of some length 2998'))
    // Neither the end of a window nor a new follower ends the process that the application writes through.
    journal.dropBefore(journal.openWindow())
    journal.trust('next')
    t.false(journal.standing.trusted)
    t.is(journal.standing.base, 'next')
    t.false(open(directory).standing.trusted)
  } finally {
    execFileSync('umount', ['-l', directory])
  }
})

test('two hundred thousand keys take less than 30 MB of memory, and one that was touched already is not written again', (t) => {
  const count = 200_000
  const { journal, directory } = fresh()
  const paths = Array.from({ length: count }, (_, i) => `base/table ${i % 1000}/relation ${i}`)
  const touchAll = (): number => {
    paths.forEach((path, i) => journal.touchZone(0, path, i % 5))
    journal.flush()
    return statSync(join(directory, 'journal')).size
  }
  // The garbage of other tests must not count.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage()
  const written = touchAll()
  collect()
  const after = process.memoryUsage()
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  t.true(bytes < 30e6, `${(bytes / count).toFixed(0)} bytes a key`)
  const named = paths.reduce((sum, path) => sum + path.length, 0)
  t.true(written < named + 10 * count, `${(written / count).toFixed(1)} bytes a key on the disk`)
  t.is(touchAll(), written)
  t.true(journal.holds(0, paths[count - 1] ?? ''))
})

test('a path that is longer than any key may have is covered by a directory above it', (t) => {
  const { journal } = fresh()
  const long = Array.from({ length: 1_200 }, () => 'd'.repeat(250)).join('/')
  journal.touchNames(0, long)
  journal.touchZone(0, `${long}/file`, 3)
  journal.touchMeta(0, `${long}/other`)
  const [only = '', ...more] = listOf(journal.snapshot())
  t.deepEqual(more, [])
  t.true(`entry 0 ${long}`.startsWith(only) && only.length > 250_000)
})
