/** `module install` and `module upgrade`: what is asked of the node, in which order, and what an operator reads. */
import { moduleStateOf, startFakeNodes } from '@holdfast/plugin-api/testing'
import { HoldfastError, type PackageQuestion, type Route } from '@holdfast/sdk'
import test from 'ava'
import { holdfast } from './cli.fixture.js'

test('plugins are looked for only after the package itself was found good', async (t) => {
  const asked: unknown[] = []
  const resolve: Route = {
    ...{ method: 'POST', path: '/registry/resolve', summary: 'which plugins', body: {} },
    response: {},
    handle: ({ body }) => {
      asked.push(body)
      return Promise.resolve({ plugins: [{ id: 'redis', version: '1.0.0', installed: true }] })
    },
  }
  const { nodes, stop } = await startFakeNodes(['n1'], [resolve])
  t.teardown(stop)
  const [n1] = nodes
  if (n1 === undefined) throw new Error('no node')
  n1.control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  const questions: PackageQuestion[] = []
  n1.control.onInspect = (question) => {
    questions.push(question)
    if (question.parameters?.['PORT'] === 'x') {
      throw new HoldfastError('E_PARAMETER', 'the parameter PORT is "x": must be integer')
    }
    return { id: 'shop', requires: { redis: '^1.0.0' } }
  }
  for (const words of [
    ['install', 'shop'],
    ['upgrade', 'web'],
  ]) {
    const refused = await holdfast(n1, 'module', ...words, '/', '--param', 'PORT=x')
    t.is(refused.code, 1, refused.err)
    t.regex(refused.err, /PORT is "x": must be integer {2}\[E_PARAMETER\]/)
  }
  t.deepEqual(asked, [])
  const as = questions.flatMap(({ install, upgrade }) => install ?? upgrade ?? [])
  t.deepEqual(as, ['shop', 'web'])
  t.is((await holdfast(n1, 'module', 'install', 'shop', '/', '--param', 'PORT=80')).code, 0)
  t.deepEqual(asked, [{ requires: { redis: '^1.0.0' }, by: 'shop 1.0.0' }])
  t.is(n1.control.told.at(-1)?.method, 'moduleInstall')
})
