/** The driver: what a pair of them does with the real machine, and what a restarted one takes over. */
import { TestClock } from '@holdfast/sdk/testing'
import test from 'ava'
import type { State } from '../decide/types.js'
import { parseMessage } from './message.js'
import { Arbiter, Cable, lostLink, Node, pair } from './pair.fixture.js'

test('a first start waits for prim, and then the pair is whole', async (t) => {
  const cable = new Cable()
  const a = new Node('a', 'b', cable)
  const b = new Node('b', 'a', cable)
  await a.driver.begin('rest')
  await b.driver.begin('rest')
  await a.driver.command('start', {})
  await b.driver.command('start', {})
  await a.reaches('WAIT NotReady')
  await b.reaches('WAIT NotReady')
  t.true((await a.driver.command('prim', {})).ok)
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
  t.like(await b.driver.command('prim', {}), { ok: false, code: 'E_MIRROR_RUNNING' })
})

test('a node whose module becomes active after the stream opened still learns of the other', async (t) => {
  const cable = new Cable()
  const a = new Node('a', 'b', cable)
  const b = new Node('b', 'a', cable)
  await a.driver.begin('rest')
  cable.connect()
  await b.driver.begin('rest')
  await a.sees('STOP')
  await b.sees('STOP')
  t.true((await a.driver.command('prim', {})).ok)
  await a.reaches('ALONE Ready')
})

test('a clean stop of the primary hands over, and it returns as secondary', async (t) => {
  const { a, b } = await pair()
  await a.driver.command('stop', {})
  await b.reaches('ALONE Ready')
  await a.reaches('STOP NotReady')
  t.true(a.done.includes('leave prim>wait'))
  await a.driver.command('start', {})
  await a.reaches('SECOND Ready')
  await b.reaches('PRIM Ready')
})

test('swap exchanges the roles, from either side', async (t) => {
  const { a, b } = await pair()
  t.true((await a.driver.command('swap', {})).ok)
  await b.reaches('PRIM Ready')
  await a.reaches('SECOND Ready')
  await a.sees('PRIM')
  t.true((await a.driver.command('swap', {})).ok)
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
})

test('a silent primary is replaced', async (t) => {
  const { b, cable } = await pair()
  cable.lose('a')
  await b.reaches('ALONE Ready')
  t.true(b.done.includes('enter second>alone'))
})

test('when only the cables are cut the primary asks the witness first, also when it notices last', async (t) => {
  const arbiter = new Arbiter()
  const { a, b, cable } = await pair(arbiter)
  // The one that waits asks again and again.
  t.teardown(() => Promise.all([a.driver.stop(), b.driver.stop()]))
  cable.cut('b')
  await a.reaches('ALONE Ready')
  await b.reaches('WAIT NotReady')
  t.deepEqual(arbiter.claims.slice(0, 2), ['3:a', '3:b'])
  t.false(a.done.some((line) => /^leave (alone|prim)>(wait|stop)/.test(line)))
  t.false(b.done.includes('enter second>alone'))
})

test('with a witness a silent primary is replaced as well', async (t) => {
  const arbiter = new Arbiter()
  const { b, cable } = await pair(arbiter)
  cable.lose('a')
  await b.reaches('ALONE Ready')
  t.deepEqual(arbiter.claims, ['3:b'])
})

test('a secondary that hears the primary again in time takes no right that it does not need', async (t) => {
  const arbiter = new Arbiter()
  const clock = new TestClock()
  const longerThanItWaitsMs = 700
  const { b, cable } = await pair(arbiter, clock)
  cable.lose('a')
  await b.sees('UNKNOWN')
  cable.connect()
  await b.reaches('SECOND Ready')
  await clock.pass(longerThanItWaitsMs)
  t.deepEqual(arbiter.claims, [])
  cable.lose('a')
  await b.sees('UNKNOWN')
  await clock.pass(longerThanItWaitsMs)
  // The primary went on with two generations meanwhile: alone, and together again.
  t.deepEqual(arbiter.claims, ['5:b'])
})

test('a start that always fails ends in STOP by maxloop, not in silence', async (t) => {
  const { a, b } = await pair()
  await b.driver.command('stop', {})
  await b.reaches('STOP NotReady')
  await a.reaches('ALONE Ready')
  a.failEnter = 'alone'
  await a.driver.command('stopstart', {})
  await a.reaches('STOP NotReady')
  t.regex(a.driver.state().cause, /maxloop/)
})

test('a restarted daemon adopts the running primary without stopping anything', async (t) => {
  const { a, b } = await pair()
  const before = a.done.length
  await a.driver.stop()
  a.restartDaemon()
  await a.driver.begin('adopt')
  await a.reaches('PRIM Ready')
  const sinceThen = a.done.slice(before).filter((line) => !line.endsWith('alone>prim'))
  t.deepEqual(sinceThen, ['adopt prim'])
  await b.reaches('SECOND Ready')
})

test('a secondary that was taken over by a restarted daemon is not Ready before its link is known', async (t) => {
  const { b } = await pair()
  await b.driver.stop()
  b.restartDaemon()
  const shown: string[] = []
  b.driver.watch(({ role, sub }) => shown.push(`${role} ${sub}`))
  await b.driver.begin('adopt')
  await b.reaches('SECOND Ready')
  t.deepEqual([...new Set(shown)], ['SECOND Transient', 'SECOND Ready'])
})

test('a secondary whose link was lost while its daemon was down is never shown as Ready', async (t) => {
  const { a, b } = await pair()
  await a.driver.stop()
  await b.driver.stop()
  const { place } = (await b.store.volatile.read<State>('place')) ?? {}
  if (place?.role !== 'second') throw new Error('it was a secondary')
  b.replica = lostLink(place.epoch)
  b.restartDaemon()
  // It goes on to ask for a new link.
  t.teardown(() => b.driver.stop())
  const shown: string[] = []
  b.driver.watch(({ role, sub }) => shown.push(`${role} ${sub}`))
  await b.driver.begin('adopt')
  await b.driver.alive()
  t.deepEqual([...new Set(shown)], ['SECOND Transient'])
})

test('a primary that got no right and has not stopped says that it is overdue; one that is asked to stop may take its time', async (t) => {
  const arbiter = new Arbiter()
  const { a, b, cable } = await pair(arbiter)
  t.teardown(() => Promise.all([a.driver.stop(), b.driver.stop()]))
  let stopped = (): void => undefined
  const slowly = (): void => {
    a.stops = new Promise((resolve) => (stopped = resolve))
  }
  slowly()
  await a.driver.command('stop', {})
  await a.reaches('WAIT Transient')
  await t.notThrowsAsync(a.driver.alive())
  stopped()
  await a.reaches('STOP NotReady')
  a.stops = undefined
  await a.driver.command('start', {})
  await a.reaches('SECOND Ready')
  await b.reaches('PRIM Ready')
  await b.driver.command('swap', {})
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')

  slowly()
  arbiter.isOutOfReach = true
  cable.cut('b')
  await a.reaches('WAIT Transient')
  await t.throwsAsync(a.driver.alive(), { code: 'E_MIRROR_OVERDUE', message: /nobody let/ })
  stopped()
  await a.reaches('WAIT NotReady')
  await t.notThrowsAsync(a.driver.alive())
})

test('a malformed message of the peer is refused', (t) => {
  t.is(parseMessage({ kind: 'agreed', epoch: 'x' }), undefined)
  t.is(parseMessage({ kind: 'toString' }), undefined)
  t.is(parseMessage(null), undefined)
  t.is(parseMessage({ kind: 'view', view: { role: 'king', ready: true } }), undefined)
  t.deepEqual(parseMessage({ kind: 'swap' }), { kind: 'swap' })
})
