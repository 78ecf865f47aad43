/** A mirror, end to end: two real daemons, a power supply, and clients that never stop writing. */
import test from 'ava'
import { ledger, monotonicMs } from '@holdfast/lab'
import { withPair } from './given.js'

test('after the first configuration both nodes wait until one gets prim', async (t) => {
  await withPair(t, {}, async (pair) => {
    await pair.order(pair.n1, 'start')
    await pair.order(pair.n2, 'start')
    await pair.is(pair.n1, 'WAIT NotReady')
    await pair.is(pair.n2, 'WAIT NotReady')
    t.deepEqual(await pair.runners(), [])
    await pair.order(pair.n1, 'stop')
    await pair.is(pair.n1, 'STOP NotReady')
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
  })
})

test('a power cut of the primary loses nothing, and the repaired node becomes the secondary', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    const cutMs = await pair.n1.host.powerOff()
    const failoverMs = await pair.answeredBy(pair.n2, cutMs)
    t.log(`failover ${Math.round(failoverMs)} ms`)
    t.true(failoverMs < 15_000)
    await pair.is(pair.n2, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a power cut of the secondary leaves the primary serving, and both are equal again afterwards', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    const cutMs = await pair.n2.host.powerOff()
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    t.true((await pair.longestSilenceMs(cutMs)) < 15_000)
    await pair.comesBack(pair.n2)
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    await pair.promisesHold(t)
  })
})

test('a clean stop of the primary hands over at once, without waiting for a time-out', async (t) => {
  await withPair(t, { timeout: '20s' }, async (pair) => {
    await pair.serves()
    const orderMs = monotonicMs()
    await pair.order(pair.n1, 'stop')
    const takeoverMs = await pair.answeredBy(pair.n2, orderMs)
    t.log(`takeover ${Math.round(takeoverMs)} ms`)
    t.true(takeoverMs < 15_000)
    await pair.is(pair.n1, 'STOP NotReady')
    await pair.is(pair.n2, 'ALONE Ready')
    await pair.order(pair.n1, 'start')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})

test('swap moves the application to the other node and back', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    for (const [from, to] of [
      [pair.n1, pair.n2],
      [pair.n2, pair.n1],
    ] as const) {
      const orderMs = monotonicMs()
      await pair.order(from, 'swap')
      const swapMs = await pair.answeredBy(to, orderMs)
      t.log(`swap ${Math.round(swapMs)} ms`)
      t.true(swapMs < 15_000)
      await pair.is(to, 'PRIM Ready')
      await pair.is(from, 'SECOND Ready')
      await pair.clientsGoOn()
    }
    await pair.promisesHold(t)
  })
})

test('a node with stale data never serves, also when it is all that is left', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    await pair.n2.host.powerOff()
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.n1.host.powerOff()
    await pair.comesBack(pair.n2)
    await pair.is(pair.n2, 'WAIT NotReady')
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'PRIM Ready', 'ALONE Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a stop of both, the secondary first, and a start of both give the same data', async (t) => {
  await withPair(t, {}, async (pair) => {
    await pair.serves()
    await pair.order(pair.n2, 'stop')
    await pair.is(pair.n2, 'STOP NotReady')
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.order(pair.n1, 'stop')
    await pair.is(pair.n1, 'STOP NotReady')
    const mounts = await pair.n1.host.mustRun(['cat', '/proc/self/mounts'])
    t.false(mounts.includes(ledger.directory), 'the replicated directory is still mounted')
    t.false((await pair.n1.host.mustRun(['ip', 'addr'])).includes('10.77.0.200'))
    await pair.order(pair.n1, 'start')
    await pair.order(pair.n2, 'start')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a primary whose disk is not mounted does not serve the empty directory, and the other node keeps its files', async (t) => {
  await withPair(t, {}, async (pair) => {
    await pair.serves()
    const { directory } = ledger
    await pair.order(pair.n2, 'stop')
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.order(pair.n1, 'stop')
    await pair.is(pair.n1, 'STOP NotReady')
    // As the mount point is without its disk.
    await pair.n1.host.mustRun(['mv', directory, `${directory}.disk`])
    await pair.n1.host.mustRun(['mkdir', directory])
    await pair.order(pair.n1, 'prim')
    await pair.order(pair.n2, 'start')
    await pair.is(pair.n1, 'STOP NotReady')
    const { cause = '' } = (await pair.n1.module('ledger'))?.state ?? {}
    t.regex(cause, /ledger is not the directory that held this node's data.*rfs accept/)
    await pair.is(pair.n2, 'WAIT NotReady')
    await pair.n1.host.mustRun(['rmdir', directory])
    await pair.n1.host.mustRun(['mv', `${directory}.disk`, directory])
    await pair.order(pair.n1, 'start')
    await pair.is(pair.n1, 'PRIM Ready', 'ALONE Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
