/**
 * Random operations on a mount and on a plain directory. `HOLDFAST_DIFF_ROUNDS` says how many rounds, `HOLDFAST_SEED` with
 * which seed they begin, `HOLDFAST_DIFF_PLAN` repeats the plan that a failure printed.
 */
import ava from 'ava'
import { disagreementOf, planOf, type Plan, shortened } from './differential.fixture.js'
import { shrink } from './shrinking.fixture.js'

const ROUNDS = Number(process.env['HOLDFAST_DIFF_ROUNDS'] ?? 2)
const FIRST = Number(process.env['HOLDFAST_SEED'] ?? 21)
const PLAN = process.env['HOLDFAST_DIFF_PLAN']
const TRIES_MAX = 80
// One after the other: each runs several processes.
const test = ava.serial

for (let seed = FIRST; seed < FIRST + ROUNDS; seed++) {
  const how = seed % 2 === 1 ? 'sealed' : 'in clear'
  test(`programs of three users that do random operations at once can't tell the mount from a local directory, and the follower is equal (seed ${seed}, ${how})`, async (t) => {
    t.timeout(600_000)
    // What a failure printed.
    const repeated = PLAN === undefined ? undefined : (JSON.parse(PLAN) as Plan)
    const plan = repeated ?? planOf(seed, seed % 2 === 1)
    const disagreement = await disagreementOf(plan)
    if (disagreement !== undefined && repeated === undefined) {
      t.log(`HOLDFAST_DIFF_PLAN='${await shortened(plan, TRIES_MAX)}'`)
    }
    t.is(disagreement, undefined, `seed ${seed}`)
  })
}

test('what a failure needs is found among what it does not', async (t) => {
  const needed = [7, 40, 41, 93]
  let tries = 0
  const fails = (items: readonly number[]): Promise<boolean> => {
    tries++
    return Promise.resolve(needed.every((item) => items.includes(item)))
  }
  const all = Array.from({ length: 100 }, (_, index) => index)
  t.deepEqual(await shrink(all, fails, 200), needed)
  t.true(tries <= 200)
  tries = 0
  const early = await shrink(all, fails, 10)
  t.is(tries, 10)
  t.true(await fails(early), 'cut short, it still fails')
})
