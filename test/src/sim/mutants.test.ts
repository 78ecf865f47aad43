/** The sweep proves something only if it catches machines that are known to be wrong. */
import test from 'ava'
import { hasFailed, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { standardHistories } from './profile.js'

for (const { name, mistake, mutation } of mutants) {
  test(`the standard sweep catches a machine that ${mistake} (${name})`, (t) => {
    for (let seed = 1; seed <= standardHistories; seed += 1) {
      if (!hasFailed(runHistory({ seed, mutation }))) continue
      t.log(`caught by seed ${seed}`)
      t.pass()
      return
    }
    t.fail(`${standardHistories} histories found nothing wrong`)
  })
}
