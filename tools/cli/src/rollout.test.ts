/** `module upgrade`, `rollback` and `config --rolling`: what is asked of the node, and what an operator reads. */
import { moduleStateOf } from '@holdfast/plugin-api/testing'
import test from 'ava'
import { holdfast, pair } from './cli.fixture.js'

test('a rollback is rolled out at once, an upgrade with conflicts only when the operator has seen them', async (t) => {
  const [n1] = await pair(t)
  n1.control.addModule('web', moduleStateOf('PRIM', 'Ready'))
  const back = await holdfast(n1, 'module', 'rollback', 'web', '--stop')
  t.is(back.code, 0)
  t.regex(back.out, /version 9\.0\.0 → 1\.0\.0\n {2}n2 {2}stopped\n.*n1 SECOND version 9\.0\.0/s)
  const upgraded = await holdfast(n1, 'module', 'upgrade', 'web', '/')
  t.regex(upgraded.err, /bin\/stop_prim: you changed it and the package did/)
  t.regex(upgraded.out, /nothing runs differently yet; next: .*module config web --rolling/)
  await holdfast(n1, 'module', 'rollback', 'web', '--sources')
  await holdfast(n1, 'module', 'config', 'web', '--rolling', '--plugin', 'a@1.0.0')
  t.deepEqual(
    n1.control.told.flatMap(({ method, request }) => (method === 'moduleRollout' ? [request] : [])),
    [
      { name: 'web', stop: true },
      { name: 'web', stop: false, plugins: { a: '1.0.0' } },
    ],
  )
  const nodes = await holdfast(n1, 'module', 'config', 'web', '--rolling', '--nodes', 'n1')
  t.is(nodes.code, 2)
})

test('an upgrade to the version that is there says so, what it changed all the same, and applies nothing when that is nothing', async (t) => {
  const [n1] = await pair(t)
  const { control } = n1
  const upgraded = async (taken: readonly string[]): Promise<string> => {
    control.upgraded = { to: '1.0.0', taken, conflicts: [] }
    const { code, out } = await holdfast(n1, 'module', 'upgrade', 'web', '/')
    t.is(code, 0)
    return out
  }
  const rollouts = (): number =>
    control.told.filter(({ method }) => method === 'moduleRollout').length
  t.is(await upgraded([]), 'web  up to date: version 1.0.0\n')
  t.is(rollouts(), 0)
  t.regex(
    await upgraded(['bin/check']),
    /^web {2}version 1\.0\.0 as before, changed:\n {2}bin\/check\n/,
  )
  t.is(rollouts(), 1)
})

test('a rollout that halts says which node has what, and the way on or back', async (t) => {
  const [n1] = await pair(t)
  n1.control.addModule('web', moduleStateOf('PRIM', 'Ready'))
  n1.control.rolloutHalts = true
  const halted = await holdfast(n1, 'module', 'config', 'web', '--rolling')
  t.is(halted.code, 1)
  t.regex(halted.err, /web halted: n2 fell\n {2}now: n1 SECOND version 9\.0\.0, .*\n {2}next: back/)
})
