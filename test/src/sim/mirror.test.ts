/** The mirror's histories: long enough to mean something, and short when one fails. Guards G1 to G4. */
import test from 'ava'
import { testMachine } from './machine.fixture.js'
import { hasFailed } from './machine.js'
import { mirrorMachine } from './mirror-machine.js'
import { shrink } from './shrink.js'
import { sweep } from './sweep.js'

testMachine(mirrorMachine)

test('a history of the tests is long: writes are acknowledged, and faults hit a working pair', async (t) => {
  const tally = await sweep(mirrorMachine, { from: 1, count: 100, profile: 'witness' })
  const acknowledged = tally.counted['acknowledged writes'] ?? 0
  t.true(tally.events / tally.histories > 800, `${tally.events} events`)
  t.true(acknowledged / tally.histories > 100, `${acknowledged} writes`)
})

test('a failing history is shortened to lines that still make it fail', async (t) => {
  const mutant = 'releases-before-persisting'
  let seed = 1
  while (!hasFailed(await mirrorMachine.run({ seed, mutant }))) seed += 1
  const long = await mirrorMachine.run({ seed, mutant })
  const short = await shrink(mirrorMachine, long, { mutant })
  const { lines } = short
  t.log(`${long.lines.length} lines became ${lines.length}: ${lines.join('; ')}`)
  t.true(lines.length < long.lines.length)
  t.true(hasFailed(await mirrorMachine.run({ seed, lines, mutant })))
  t.false(hasFailed(await mirrorMachine.run({ seed, lines })))
})
