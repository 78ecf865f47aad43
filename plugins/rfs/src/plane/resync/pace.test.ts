/** When a copy waits, and when it lets the application wait. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { compareTrees } from '../../verify/compare.js'
import { mayBeLastRound } from '../serve/decide.js'
import { ProgressMeter, progressText } from '../progress.js'
import { Courtesy, SHARE_MIN } from './courtesy.js'
import { Pace } from './pace.js'
import { Rig } from './rig.js'

const mebibyte = 1024 * 1024
const rig = new Rig()

/** Two empty directories, gone with the test. */
function places(t: ExecutionContext): readonly [string, string] {
  const base = fs.mkdtempSync(join(tmpdir(), `rfs-pace-${process.pid}-`))
  t.teardown(() => {
    fs.rmSync(base, { recursive: true })
  })
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  for (const one of [from, to]) fs.mkdirSync(one)
  return [from, to]
}

test('a round is the last when neither its bytes nor its names keep the application waiting', (t) => {
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

test('a share of the time is kept by a rest after each piece of work', (t) => {
  const pace = new Pace(Infinity)
  pace.worked(0, 10)
  t.is(pace.waitMs(10, 1), 0)
  pace.share = 1 / 4
  pace.worked(10, 20)
  t.is(pace.waitMs(20, 1), 30)
  t.is(pace.waitMs(50, 1), 0)
})

test('a copy gives way as soon as rounds of requests take long, and comes back step by step', (t) => {
  const courtesy = new Courtesy()
  const quick = { roundsPerSecond: 500, roundUs: 100 }
  const slow = { roundsPerSecond: 500, roundUs: 5_000 }
  t.is(courtesy.next(quick), 1)
  t.is(courtesy.next(slow), 1 / 2)
  t.is(courtesy.next(slow), 1 / 4)
  const back = courtesy.next(quick)
  t.true(back > 1 / 4 && back < 1 / 2)
})

test('a copy never stands still, whatever applications do', (t) => {
  const courtesy = new Courtesy()
  for (let period = 0; period < 100; period += 1) {
    t.true(courtesy.next({ roundsPerSecond: 500, roundUs: 50_000 * (period + 1) }) >= SHARE_MIN)
  }
})

test('what is slow without the copy does not slow the copy down for ever', (t) => {
  const courtesy = new Courtesy()
  const slowDisk = { roundsPerSecond: 100, roundUs: 8_000 }
  for (let period = 0; period < 40; period += 1) courtesy.next(slowDisk)
  t.is(courtesy.share, 1)
  courtesy.next({ roundsPerSecond: 100, roundUs: 40_000 })
  t.is(courtesy.share, 1 / 2, 'what is much slower than that is the doing of the copy')
})

test('without applications a copy takes all the time soon', (t) => {
  const courtesy = new Courtesy()
  for (let period = 0; period < 10; period += 1) {
    courtesy.next({ roundsPerSecond: 500, roundUs: 50_000 * (period + 1) })
  }
  for (let period = 0; period < 3; period += 1) {
    courtesy.next({ roundsPerSecond: 2, roundUs: 90_000 })
  }
  t.is(courtesy.share, 1)
})

test('the rest of a copy is told by files as well as by bytes, and each round by its own time', (t) => {
  const meter = new ProgressMeter(1_000)
  const bulk = { phase: 'comparing', contentBytes: 0, filesTotal: 100, bytesTotal: 1_000 } as const
  const half = meter.of({ ...bulk, filesDone: 10, bytesDone: 900 }, 2_000)
  t.is(half.etaSeconds, 9, 'a tenth of the files is done')
  t.is(half.bytesPerSecond, 900)
  t.regex(progressText(half), /^compare: 10 of 100 files, .* about 9 s left$/)
  const delta = { phase: 'delta', contentBytes: 0, filesTotal: 4, bytesTotal: 0 } as const
  t.is(meter.of({ ...delta, filesDone: 0, bytesDone: 0 }, 50_000).etaSeconds, undefined)
  t.is(meter.of({ ...delta, filesDone: 2, bytesDone: 0 }, 51_000).etaSeconds, 1)
})

test('a copy with a limit of the bandwidth ends, and the trees are equal', (t) => {
  const [from, to] = places(t)
  fs.writeFileSync(join(from, 'f'), Buffer.alloc(12 * mebibyte, 'x'))
  const began = performance.now()
  const { failed } = rig.copy({ from, to, bytesPerSecond: 16 * mebibyte })
  t.deepEqual(failed, [undefined, undefined])
  t.deepEqual(compareTrees(from, to), [])
  // What may be queued at once is 4 MiB: the rest waits until it is earned.
  t.true(performance.now() - began >= 200)
})

test('a copy that lost its link goes on where it was: what had arrived is not sent again', (t) => {
  const [from, to] = places(t)
  for (let i = 0; i < 32; i += 1) {
    fs.writeFileSync(join(from, `f${i}`), Buffer.alloc(mebibyte, `content of ${i}`))
  }
  const stopAtBytes = 12 * mebibyte
  const first = rig.copy({ from, to, stopAtBytes, bytesPerSecond: 16 * mebibyte })
  // Both are told to stop; the slower one may see first that the other one has left.
  t.false(first.failed.includes(undefined), String(first.failed))
  t.true(first.failed.includes('stopped'), String(first.failed))
  // What was on its way is lost with the link: at most what may be queued, here and in the kernel.
  const second = rig.copy({ from, to })
  t.deepEqual(second.failed, [undefined, undefined])
  t.true(second.contentBytes <= 28 * mebibyte, `${second.contentBytes} of ${32 * mebibyte}`)
  t.deepEqual(compareTrees(from, to), [])
})
