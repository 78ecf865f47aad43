/** A third machine decides who goes on when the nodes lose each other: exactly one, and nothing acknowledged is lost. */
import test from 'ava'
import { monotonicMs } from '@holdfast/lab'
import { withWitness } from './witnessed.js'

test('when only the cables between the nodes are cut the primary goes on, the other waits, and both are whole again afterwards', async (t) => {
  await withWitness(t, async ({ pair, newest }) => {
    t.is(await newest(), undefined)
    await pair.separate('default')
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.is(pair.n2, 'WAIT NotReady')
    t.regex((await newest()) ?? '', /:n1$/)
    await pair.lab.network.endLosses()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('when the primary is cut off from everything the other one goes on, and what was acknowledged is on both afterwards', async (t) => {
  await withWitness(t, async ({ pair, newest }) => {
    const cutMs = monotonicMs()
    await pair.lab.network.cut({ host: 'n1' })
    await pair.answeredBy(pair.n2, cutMs)
    await pair.is(pair.n2, 'ALONE Ready')
    t.regex((await newest()) ?? '', /:n2$/)
    await pair.clientsGoOn()
    await pair.lab.network.heal({ host: 'n1' })
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.clientsGoOn()
    // n1's application could not be reached and could not write, but only a watchdog would have ended it at once.
    await pair.nothingIsLost(t)
  })
})

test('when the primary dies the witness lets the other one go on', async (t) => {
  await withWitness(t, async ({ pair }) => {
    const offMs = await pair.n1.host.powerOff()
    await pair.answeredBy(pair.n2, offMs)
    await pair.clientsGoOn()
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})
