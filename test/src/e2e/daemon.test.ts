/** The daemon may die: the application, the mount and the virtual IP stay, and the next daemon adopts them. */
import test from 'ava'
import { monotonicMs, until } from '@holdfast/lab'
import { type Pair, patienceMs, withPair } from './given.js'

/** Shorter than the time-out after which the other node would act. */
const unnoticedMs = 4_500

async function nextDaemon(node: Pair['n1'], died: number): Promise<void> {
  await until(
    'another daemon answers',
    async () => ((await node.daemonPid()) === died ? undefined : true),
    { timeoutMs: patienceMs },
  )
  await node.waitUntilItAnswers()
}

test('kill -9 of the daemon on the primary goes unnoticed, and the next one adopts the application', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    const killMs = monotonicMs()
    await nextDaemon(pair.n1, await pair.n1.killDaemon())
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    const silenceMs = await pair.longestSilenceMs(killMs)
    t.true(silenceMs < unnoticedMs, `clients had no answer for ${silenceMs} ms`)
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    await pair.promisesHold(t)
  })
})

test('kill -9 of the daemon on the secondary goes unnoticed, and it is a secondary again', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    const killMs = monotonicMs()
    await nextDaemon(pair.n2, await pair.n2.killDaemon())
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    const silenceMs = await pair.longestSilenceMs(killMs)
    t.true(silenceMs < unnoticedMs, `clients had no answer for ${silenceMs} ms`)
    await pair.promisesHold(t)
  })
})

test('after a kill -9 of the daemon a power cut of its node still fails over without loss', async (t) => {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    await nextDaemon(pair.n1, await pair.n1.killDaemon())
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    const cutMs = await pair.n1.host.powerOff()
    t.true((await pair.answeredBy(pair.n2, cutMs)) < 20_000)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})
