/** Files whose content is told with their names: what is the same is not answered, and nothing else is believed. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { MalformedError, type Writer } from '../journal/bytes.js'
import { compareTrees } from '../../verify/compare.js'
import { HASH_BYTES, isSame } from './content.js'
import { putFile, putVisit } from './entry.fixture.js'
import { SharedDirectory } from './files.js'
import { Foresight } from './foresight.js'
import { MESSAGE, putAttributes } from './messages.js'
import { placesFor } from './places.fixture.js'
import { Questions, type FileQuestion } from './questions.js'
import { Dice } from './random-tree.js'
import { Rig } from './rig.js'

/** Each begins a copy and ends it, which is what takes the time. */
const ROUNDS = Number(process.env['HOLDFAST_RESYNC_ROUNDS'] ?? 100)
const rig = new Rig()
const place = placesFor('batches')

const ZERO = Buffer.alloc(HASH_BYTES)
const ONE = Buffer.alloc(HASH_BYTES, 1)

test('a source tells what files hold until the target mostly has something else, and again when it has the same', (t) => {
  const foresight = new Foresight()
  t.true(foresight.prints)
  for (let i = 0; i < 10; i += 1) foresight.told(false)
  t.true(foresight.prints, 'a few that differ are no rule')
  for (let i = 0; i < 100; i += 1) foresight.told(false)
  t.false(foresight.prints)
  for (let i = 0; i < 10; i += 1) foresight.told(true)
  t.true(foresight.prints)
})

test('zeros that take room on the target only are a difference, and nothing but holes equals nothing but holes', (t) => {
  const none = { dataBytes: 0, hash: ZERO }
  const some = { dataBytes: 4096, hash: ONE }
  t.true(isSame(none, none))
  t.true(isSame(some, { dataBytes: 4096, hash: ONE }))
  t.true(isSame(some, { dataBytes: 1024, hash: ONE }), 'the same bytes, in less room')
  t.false(isSame(some, { dataBytes: 8192, hash: ONE }))
  t.false(isSame(some, none))
  t.false(isSame(none, some))
  t.false(isSame(some, { dataBytes: 4096, hash: ZERO }))
})

function question(id: number, printed: boolean): FileQuestion {
  const directory = new SharedDirectory(fs.openSync('/', 'r'))
  const about = { name: 'f', path: 'f', size: 1, content: 'all' } as const
  return { kind: 'file', volume: 0, id, directory, printed, ...about }
}

test('only what was told with its content can be settled without an answer of its own', (t) => {
  const questions = new Questions()
  for (const id of [1, 2, 4]) questions.add(question(id, true))
  questions.add(question(3, false))
  questions.add(question(5, true))
  t.deepEqual(
    [...questions.settledUpTo(2)].map(({ id }) => id),
    [1, 2],
  )
  t.throws(() => questions.answered(2), { instanceOf: MalformedError })
  t.is(questions.answered(3).id, 3)
  questions.add(question(6, false))
  t.throws(() => [...questions.settledUpTo(6)], { instanceOf: MalformedError })
  t.is(questions.count, 1)
  questions.close()
  t.is(questions.count, 0)
})

test('what is open on the target is bounded, whatever the source tells of', (t) => {
  const questions = new Questions()
  let id = 0
  while (questions.hasRoomBeside(0) && id < 10_000) questions.add(question((id += 1), true))
  t.true(id < 4096)
  questions.close()
  while (questions.hasRoomBeside(100) && id < 20_000) questions.add(question((id += 1), false))
  t.true(questions.count + 100 <= 512)
  questions.close()
})

test('among many files that are the same those that differ are found, although size and time are equal', (t) => {
  const [from, to] = [place(), place()]
  const time = new Date(1_700_000_000_000)
  const write = (root: string, i: number, content: string): void => {
    const path = join(root, `d${i % 7}`, `f${i}`)
    fs.mkdirSync(join(root, `d${i % 7}`), { recursive: true })
    fs.writeFileSync(path, content)
    fs.utimesSync(path, time, time)
  }
  const differ = [3, 64, 65, 400, 999]
  for (let i = 0; i < 1000; i += 1) {
    write(from, i, `content ${i}`)
    write(to, i, differ.includes(i) ? `CONTENT ${i}` : `content ${i}`)
  }
  // Attributes of files whose content is the same are set too.
  fs.chmodSync(join(to, 'd0', 'f0'), 0o600)
  fs.utimesSync(join(to, 'd1', 'f1'), 5, 5)
  fs.chownSync(join(to, 'd2', 'f2'), 7, 8)
  const result = rig.copy({ from, to })
  t.deepEqual(result.failed, [undefined, undefined])
  t.deepEqual(compareTrees(from, to), [])
  t.is(
    result.contentBytes,
    differ.reduce((sum, i) => sum + `content ${i}`.length, 0),
  )
})

test('a full copy sends what is the same too', (t) => {
  const [from, to] = [place(), place()]
  for (const root of [from, to]) fs.writeFileSync(join(root, 'f'), 'the same')
  t.is(rig.copy({ from, to, full: true }).contentBytes, 'the same'.length)
})

test('a hostile source gains nothing by telling what files hold', (t) => {
  const root = place()
  fs.writeFileSync(join(root, 'file'), '0123456789')
  const print = { dataBytes: 10, hash: ONE }
  const attacks: Record<string, (to: Writer) => void> = {
    'a print without a content': (to) =>
      putFile(putVisit(to, ''), 'file', { print, content: 'none' }),
    'a print that is cut short': (to) => {
      putFile(putVisit(to, ''), 'file', { print })
      const whole = Buffer.from(to.view())
      to.clear()
      to.raw(whole.subarray(0, whole.length - 1))
    },
    'an entry that comes again': (to) => {
      putFile(putVisit(to, ''), 'file', { print, id: 2 })
      putFile(to, 'other', { print, id: 2 })
    },
    'an entry out of order': (to) => {
      putFile(putVisit(to, ''), 'file', { print, id: 2 })
      putFile(to, 'other', { print, id: 1 })
    },
    'an end before what differs was sent': (to) => {
      putFile(putVisit(to, ''), 'file', { print, id: 2 })
      putAttributes(to.u8(MESSAGE.leave), { ...ROOT, xattrs: [] })
      to.u8(MESSAGE.roundEnd).u8(1)
    },
  }
  for (const [name, attack] of Object.entries(attacks)) {
    t.regex(rig.attack(root, attack), /malformed/, name)
  }
})

const ROOT = { mode: 0o40755, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanos: 0 }

test('an honest record with a few wrong bytes ends in the round or in a reason, never outside of the root', (t) => {
  const outside = place()
  fs.writeFileSync(join(outside, 'precious'), 'untouched')
  const root = place()
  const dice = new Dice(11)
  for (let round = 0; round < ROUNDS; round += 1) {
    if (!fs.existsSync(join(root, 'link'))) fs.symlinkSync(outside, join(root, 'link'))
    const reason = rig.attack(root, (to) => {
      putVisit(to, round % 3 === 0 ? 'link' : '')
      for (let id = 1; id <= 5; id += 1) {
        putFile(to, `f${id}`, { id, print: { dataBytes: 10, hash: id % 2 === 0 ? ONE : ZERO } })
        if (id === 3) to.u8(MESSAGE.data).uint(3).uint(0).uint(4).raw(Buffer.from('data'))
      }
      to.u8(MESSAGE.hash).uint(2).uint(0).uint(1).u8(MESSAGE.done).uint(2)
      putAttributes(to.u8(MESSAGE.leave), { ...ROOT, xattrs: [] })
      const bytes = to.view()
      for (let i = dice.roll(4); i >= 0; i -= 1) bytes[dice.roll(bytes.length)] = dice.roll(256)
    })
    t.not(reason, '')
    t.false(reason.includes('a bug in the copy'), reason)
  }
  t.deepEqual(fs.readdirSync(outside), ['precious'])
  t.is(fs.readFileSync(join(outside, 'precious'), 'utf8'), 'untouched')
  const to = place()
  t.deepEqual(rig.copy({ from: outside, to }).failed, [undefined, undefined])
  t.deepEqual(compareTrees(outside, to), [])
})
