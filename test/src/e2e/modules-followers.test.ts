/** Modules that follow another one: the delivered leader and follower on a pair. */
import { signal } from '@holdfast/lab'
import test from 'ava'
import { patienceMs, withPair } from './given.js'
import { idleServer, inMirror, installByName, packRegistry } from './modules.js'

test.before(packRegistry)

test('a follower runs where its leader serves, and its death leaves the leader alone', async (t) => {
  await withPair(t, { module: false }, async ({ n1, n2 }) => {
    const nodes = [n1, n2]
    const are = async (name: string, onN1: string, onN2: string): Promise<void> => {
      await n1.waitForState(name, [onN1], patienceMs)
      await n2.waitForState(name, [onN2], patienceMs)
    }
    for (const { host } of nodes) await host.mustRun(['mkdir', '-p', '/srv/leader'])
    await installByName(n1, 'leader', inMirror)
    await installByName(n1, 'follower')
    for (const node of nodes) await node.mustRun(['start', '-m', 'follower', '--no-wait'])
    await are('follower', 'WAIT NotReady', 'WAIT NotReady')

    await n1.mustRun(['prim', '-m', 'leader', '--no-wait'])
    await n2.mustRun(['start', '-m', 'leader', '--no-wait'])
    await are('leader', 'PRIM Ready', 'SECOND Ready')
    await are('follower', 'UP Ready', 'WAIT NotReady')

    const leader = await idleServer(n1, 'leader')
    const follower = await idleServer(n1, 'follower')
    signal(follower, 'SIGKILL')
    await idleServer(n1, 'follower', follower)
    t.is(await idleServer(n1, 'leader'), leader)
    t.is(await n1.state('leader'), 'PRIM Ready')

    await n1.mustRun(['swap', '-m', 'leader', '--no-wait'])
    await are('leader', 'SECOND Ready', 'PRIM Ready')
    await are('follower', 'WAIT NotReady', 'UP Ready')
    t.deepEqual(await n1.host.processes(/idle_server/), [], 'something still runs on n1')

    await n2.host.powerOff()
    await n1.waitForState('leader', ['ALONE Ready'], patienceMs)
    await n1.waitForState('follower', ['UP Ready'], patienceMs)
    await idleServer(n1, 'follower')
  })
})
