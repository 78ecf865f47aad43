/** The scenario files of test/scenarios: acceptance tests, and every incident met so far. Guards G1 to G4 and G6. */
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { mutants, scenarioMutants } from './mutants.js'
import { runScenario } from './scenario.js'

const folder = new URL('../../scenarios/', import.meta.url)

for (const name of readdirSync(folder).sort()) {
  test(`scenario ${name.replace('.txt', '').replaceAll('-', ' ')}`, (t) => {
    const { differences, trace } = runScenario(readFileSync(new URL(name, folder), 'utf8'))
    t.deepEqual(differences, [], trace.slice(-60).join('\n'))
  })
}

/** The incident of the file happens again when the mistake behind it is made again. */
const incidents: readonly (readonly [string, string])[] = [
  ['agreement-lost-with-the-power', 'agreement-in-memory'],
  ['copy-finished-while-the-application-stopped', 'no-late-dependence'],
  ['frozen-primary-outdated-the-one-that-went-on', 'outdated-while-ahead'],
  ['interrupted-copy-never-serves', 'partial-may-lead'],
  ['isolation-with-a-witness', 'ignores-refusal'],
  ['new-disk-made-an-old-generation-again', 'no-marks'],
  ['power-off-of-the-secondary', 'no-new-generation'],
  ['data-plane-replaced-while-the-right-is-asked-for', 'begins-anew'],
  ['question-asked-before-the-stream-was-there', 'asks-once'],
  ['question-overtook-the-view', 'outdated-while-ahead'],
  ['right-granted-and-not-used', 'refused-is-stale'],
  ['stop-that-fails-hands-nothing-over', 'stop-always-works'],
  ['swap-from-either-side', 'no-demoting'],
  ['writes-held-by-a-daemon-that-died', 'releases-once'],
  ['told-to-wait-hands-over', 'deaf-to-wakeup'],
  ['primary-without-any-right-stops', 'no-limit'],
  ['witness-refused-and-the-peer-was-heard-again', 'no-limit'],
]

for (const [file, name] of incidents) {
  test(`scenario ${file.replaceAll('-', ' ')} fails with the machine ${name}`, (t) => {
    const all = [...mutants, ...scenarioMutants]
    const mutation = all.find((mutant) => mutant.name === name)?.mutation
    const text = readFileSync(new URL(`${file}.txt`, folder), 'utf8')
    t.true(mutation !== undefined && runScenario(text, mutation).differences.length > 0)
  })
}

test('a scenario that expects something else fails, and its update expects what was seen', (t) => {
  const text = 'pair\nexpect a SECOND Ready, b PRIM Ready\nexpect runs b\n'
  const { differences, updated } = runScenario(text)
  t.is(differences.length, 2)
  t.is(updated, 'pair\nexpect a PRIM Ready, b SECOND Ready\nexpect runs a\n')
  t.deepEqual(runScenario(updated).differences, [])
})

test('a line that nobody understands is refused with its number and what is allowed', (t) => {
  t.throws(() => runScenario('pair\nexplode a\n'), { message: /line 2: "explode a"/ })
  t.throws(() => runScenario('given colour red\n'), { message: /"colour red" can't be given/ })
  t.throws(() => runScenario('pair\nexpect miracles\n'), { message: /line 2/ })
})
