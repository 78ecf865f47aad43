/**
 * A machine of the simulator through its standard sweep: no promise is broken, what is repaired becomes well, known-bad variants
 * are caught. A sweep proves something only if it catches what is known to be wrong.
 */
import test from 'ava'
import { hasFailed, type SimMachine } from './machine.js'
import { Coverage } from './reached.js'
import { reportOf } from './report.js'
import { shrink } from './shrink.js'
import { add, sweep } from './sweep.js'
import { complaintsOf, reasonsOf } from './unreached.js'

const ordered = process.env['HOLDFAST_SEEDS']

export function testMachine(machine: SimMachine): void {
  const { name, standardHistories, transitions } = machine
  const histories = Number(ordered ?? standardHistories)

  test(`${name}: in no history is a promise broken, and everything heals`, async (t) => {
    const coverage = new Coverage()
    for (let seed = 1; seed <= histories; seed += 1) {
      const ran = await machine.run({ seed, coverage })
      if (hasFailed(ran)) {
        t.fail(await reportOf(machine, await shrink(machine, ran)))
        return
      }
    }
    const unreached = coverage.unreached(transitions)
    t.log(`${histories} histories, ${unreached.length} of ${transitions.length} unreached`)
    // Another number of histories reaches more, or less.
    if (histories !== standardHistories) {
      t.pass()
      return
    }
    t.deepEqual(complaintsOf(transitions, unreached, reasonsOf(name)), [])
  })

  test(`${name}: one seed is one history, to the last line of its trace`, async (t) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const first = await machine.run({ seed, traced: true })
      const second = await machine.run({ seed, traced: true })
      t.true(first.trace.length > 20)
      t.deepEqual(first, second)
    }
  })

  test(`${name}: a history is the same whether it is traced or not`, async (t) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const traced = await machine.run({ seed, traced: true })
      t.deepEqual({ ...traced, trace: [] }, await machine.run({ seed }))
    }
  })

  test(`${name}: ranges that are swept apart add up to the sweep of all`, async (t) => {
    const whole = await sweep(machine, { from: 1, count: 30, profile: undefined })
    const first = await sweep(machine, { from: 1, count: 10, profile: undefined })
    const second = await sweep(machine, { from: 11, count: 20, profile: undefined })
    t.is(whole.histories, 30)
    t.deepEqual(add(first, second), whole)
  })

  for (const mutant of machine.mutants) {
    const { mistake } = mutant
    test(`${name}: the standard sweep catches one that ${mistake} (${mutant.name})`, async (t) => {
      for (let seed = 1; seed <= standardHistories; seed += 1) {
        if (!hasFailed(await machine.run({ seed, mutant: mutant.name }))) continue
        t.log(`caught by seed ${seed}`)
        t.pass()
        return
      }
      t.fail(`${standardHistories} histories found nothing wrong`)
    })
  }
}
