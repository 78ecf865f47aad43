/** What else happens in a machine room: cables, hangs, dead processes. Nothing acknowledged is ever lost. */
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { duplicatedRunners, monotonicMs, until } from '@holdfast/lab'
import { patienceMs, withPair } from './given.js'

/** Long against the time-out of these tests, so that whatever would happen has happened. */
const faultMs = 4_000

test('the loss of a second LAN changes nothing', async (t) => {
  await withPair(t, { timeout: '1000ms', lans: ['default', 'second'] }, async (pair) => {
    await pair.serves()
    await pair.lab.network.cut({ host: 'n1', lan: 'second' })
    await delay(faultMs)
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('nodes that lose only the replication LAN do not both serve, and are equal after it heals', async (t) => {
  await withPair(t, { timeout: '1000ms', lans: ['default', 'second'] }, async (pair) => {
    await pair.serves()
    await pair.separate('default')
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.lab.network.endLosses()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('with isolation="wait" nodes that lose each other do not both serve, and lose nothing', async (t) => {
  await withPair(t, { timeout: '1000ms', isolation: 'wait' }, async (pair) => {
    await pair.serves()
    await pair.separate('default')
    await delay(faultMs)
    await pair.lab.network.endLosses()
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a primary that stood still gives way when it goes on, and nothing acknowledged is lost', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    const frozenMs = monotonicMs()
    await pair.n1.host.freeze()
    await pair.answeredBy(pair.n2, frozenMs)
    await pair.clientsGoOn()
    await pair.n1.host.thaw()
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.clientsGoOn()
    // Without a fence the application of the thawed node runs until its daemon has heard of the other one.
    await pair.nothingIsLost(t)
    t.log(`${duplicatedRunners(await pair.runners()).length} pairs of runners overlapped`)
  })
})

test('a secondary that stood still comes back, and the primary served meanwhile', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    await pair.n2.host.freeze()
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.n2.host.thaw()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('the death of the data plane on the secondary costs no answer, and it joins again', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    await pair.n2.killDataPlane()
    await pair.clientsGoOn()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a data plane that dies on the primary is replaced under the application, which stays and loses nothing', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    const died = await pair.n1.dataPlanes()
    await pair.n1.killDataPlane()
    await until(
      'another data plane runs',
      async () => {
        const present = await pair.n1.dataPlanes()
        return present.some((pid) => !died.includes(pid)) ? true : undefined
      },
      { timeoutMs: patienceMs },
    )
    await pair.clientsGoOn()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    await pair.promisesHold(t)
  })
})
