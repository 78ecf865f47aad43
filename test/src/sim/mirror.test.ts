/** The mirror's machine through random histories: faults for a while, then healing. Guards G1 to G4. */
import test from 'ava'
import { hasFailed, runHistory } from './history.js'
import { reportOf } from './report.js'

const histories = Number(process.env['HOLDFAST_SEEDS'] ?? '2000')

test('G1 G2 G3 G4: in no history is an acknowledged write lost or a promise broken, and each pair heals', (t) => {
  for (let seed = 1; seed <= histories; seed += 1) {
    const outcome = runHistory({ seed })
    if (hasFailed(outcome)) {
      t.fail(reportOf(outcome))
      return
    }
  }
  t.pass()
})

test('one seed is one history, to the last line of its trace', (t) => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
    const first = runHistory({ seed, traced: true })
    const second = runHistory({ seed, traced: true })
    t.true(first.trace.length > 100)
    t.deepEqual(first, second)
  }
})
