/** When a copy waits, and when it lets the application wait. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { compareTrees } from '../../verify/compare.js'
import { mayBeLastRound } from '../serve/decide.js'
import { Pace } from './pace.js'
import { Rig } from './rig.js'

test('a round is the last when neither its bytes nor its names keep the application waiting', (t) => {
  const mebibyte = 1024 * 1024
  t.true(mayBeLastRound(1, { keys: 10, bytes: mebibyte }))
  t.false(mayBeLastRound(1, { keys: 1, bytes: 1024 * mebibyte }), 'one large file')
  t.false(mayBeLastRound(1, { keys: 100_000, bytes: 0 }), 'many names')
  t.true(mayBeLastRound(20, { keys: 100_000, bytes: 1024 * mebibyte }), 'it has to end')
})

test('a limit of the bandwidth is kept over time, and a pause is not made up for at once', (t) => {
  const pace = new Pace(1_000_000)
  t.is(pace.waitMs(0, 0), 0)
  t.is(pace.waitMs(0, 500_000), 500)
  t.is(pace.waitMs(400, 500_000), 100)
  t.is(pace.waitMs(500, 500_000), 0)
  // Ten seconds of silence are worth a tenth of a second.
  t.is(pace.waitMs(10_500, 500_000), 0)
  t.is(pace.waitMs(10_500, 1_500_000), 900)
})

test('a copy with a limit of the bandwidth ends, and the trees are equal', (t) => {
  const base = fs.mkdtempSync(join(tmpdir(), `rfs-pace-${process.pid}-`))
  t.teardown(() => {
    fs.rmSync(base, { recursive: true })
  })
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  for (const one of [from, to]) fs.mkdirSync(one)
  fs.writeFileSync(join(from, 'f'), Buffer.alloc(12 * 1024 * 1024, 'x'))
  const began = performance.now()
  const { failed } = new Rig().copy({ from, to, bytesPerSecond: 16 * 1024 * 1024 })
  t.deepEqual(failed, [undefined, undefined])
  t.deepEqual(compareTrees(from, to), [])
  // What may be queued at once is 4 MiB: the rest waits until it is earned.
  t.true(performance.now() - began >= 200)
})
