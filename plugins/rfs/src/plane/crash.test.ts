/**
 * The crash loop: at random moments a data plane, a node, both nodes or the wire fail while a program writes. After each round
 * both trees must be equal, and have all that was acknowledged. `HOLDFAST_CRASH_ROUNDS` says how many, `HOLDFAST_SEED` from where.
 */
import { setTimeout as delay } from 'node:timers/promises'
import ava from 'ava'
import { randomFrom } from './battery-values.fixture.js'
import { CrashPair, FAULTS, type Fault } from './crash.fixture.js'

const ROUNDS = Number(process.env['HOLDFAST_CRASH_ROUNDS'] ?? FAULTS.length)
const FIRST = Number(process.env['HOLDFAST_SEED'] ?? 1)
/** Rounds that one pair lives through. */
const ROUNDS_EACH = 28
const test = ava.serial

for (let begun = 0; begun < ROUNDS; begun += ROUNDS_EACH) {
  const seed = FIRST + begun
  const rounds = Math.min(ROUNDS_EACH, ROUNDS - begun)
  test(`whatever ends at any moment, nothing that was acknowledged is lost and both trees are equal (${rounds} rounds from seed ${seed})`, async (t) => {
    t.timeout(1_800_000)
    const random = randomFrom(seed)
    const pair = new CrashPair(random)
    const counts = new Map<string, number>()
    const breakOne = async (fault: Fault, when: string): Promise<void> => {
      counts.set(`${fault}${when}`, (counts.get(`${fault}${when}`) ?? 0) + 1)
      await pair.break(fault)
    }
    try {
      await pair.begin()
      for (let round = 0; round < rounds; round++) {
        const fault = FAULTS[round % FAULTS.length] ?? FAULTS[0]
        await pair.written(1 + random(random(10) === 0 ? 2000 : 200))
        await breakOne(fault, '')
        if (random(3) === 0) {
          await delay(random(150))
          await breakOne(FAULTS[random(FAULTS.length)] ?? fault, ' during a copy')
        }
        t.is(await pair.check(), undefined, `seed ${seed}, round ${round}: ${fault}`)
      }
    } finally {
      await pair.remove()
    }
    t.true(pair.acknowledged > 0)
    const said = [...counts].map(([fault, count]) => `${fault}: ${count}`).join('; ')
    t.log(
      `${pair.acknowledged} changes acknowledged; ${said}; lost by itself: ${pair.lostByItself}`,
    )
  })
}
