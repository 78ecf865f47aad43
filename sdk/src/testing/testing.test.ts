/** The test host keeps to the rules of the real one. */
import test from 'ava'
import { checker } from '../checker.js'
import { definePlugin } from '../plugin.js'
import { clock, log, peers, store } from '../services.js'
import { live, point } from '../token.js'
import { done } from '../verdict.js'
import { startPlugin, TestClock, TestNetwork } from './index.js'

const needs = { clock, log, store, peers, things: live(point<string>('point.thing')) }

/** Counts seconds in its store, and looks at things. */
const counter = definePlugin<typeof needs, { readonly step: number }>({
  needs,
  async activate(deps, { step }, scope) {
    let count = (await deps.store.read<number>('count')) ?? 0
    scope.onStop(
      deps.clock.every(1_000, () => {
        count += step
        void deps.store.write('count', count)
      }),
    )
    scope.onStop(
      deps.things.watch(() => {
        deps.log.write('info', 'thingsChanged', { things: [...deps.things.all().values()] })
      }),
    )
    scope.contribute(checker, 'count.a', {
      when: 'pre',
      rule: undefined,
      start: (report) => {
        report('up', String(count))
        return Promise.resolve(done)
      },
      stop: () => Promise.resolve(),
    })
  },
})

test('time passes only when it is told to, and what was stored is there in the next run', async (t) => {
  const first = await startPlugin(counter, { config: { step: 2 } })
  await first.clock.pass(3_500)
  await first.stop()
  t.is(first.clock.pending, 0)
  const { store: kept } = first
  const second = await startPlugin(counter, { config: { step: 2 }, services: { store: kept } })
  let cause = ''
  await second.contribution(checker, 'count.a').start((_, text) => (cause = text))
  t.is(cause, '6')
  await second.stop()
})

test('a live need sees contributions come and go', async (t) => {
  const thing = point<string>('point.thing')
  const host = await startPlugin(counter, {
    config: { step: 1 },
    contributed: { 'point.thing': { b: 'B' } },
  })
  await host.contribute(thing, 'a', 'A')
  await host.contribute(thing, 'b', undefined)
  t.deepEqual(
    host.log.lines.map(({ fields }) => fields['things']),
    [['A', 'B'], ['A']],
  )
  await host.stop()
})

test('what the manifest does not declare can not be contributed, and what had begun is stopped', async (t) => {
  const clockOfTest = new TestClock()
  const manifest = { needs: [], provides: [], contributes: [] }
  const setting = { config: { step: 1 }, manifest, services: { clock: clockOfTest } }
  await t.throwsAsync(startPlugin(counter, setting), { message: /point.checker is not declared/ })
  t.is(clockOfTest.pending, 0)
})

test('messages arrive as JSON and in order, and not over a cut link', async (t) => {
  const network = new TestNetwork()
  const [n1, n2] = [network.node('n1'), network.node('n2')]
  const heard: unknown[] = []
  n2.onMessage((node, message) => heard.push([node, message]))
  n2.onCall((_, message) => Promise.resolve({ echo: message }))
  t.true(n1.send('n2', { a: 1, lost: undefined }))
  t.true(n1.send('n2', 2))
  t.deepEqual(await n1.call('n2', 'x'), { echo: 'x' })
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(heard, [
    ['n1', { a: 1 }],
    ['n1', 2],
  ])
  const events: string[] = []
  n1.watch('n2', {}, ({ kind }) => events.push(kind))
  network.cut('n2')
  t.false(n1.send('n2', 3))
  await t.throwsAsync(n1.call('n2', 'x'), { message: /does not answer/ })
  network.restore('n2')
  t.deepEqual(events, ['peerConnected', 'peerDisconnected', 'peerConnected'])
})
