/** Scheduled synchronisation: when the secondary waits, and when it does not. */
import test from 'ava'
import type { Clock, HoldfastError } from '@holdfast/sdk'
import { memoryStore } from '../testing/store.js'
import { never } from '../testing/world.js'
import { syncatCommands } from './commands.js'
import { Syncat } from './syncat.js'

/** One node with the times of its schedule in the test's hands. */
function node(kept = new Map<string, string>()) {
  let tick: () => void = () => undefined
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => Date.UTC(2026, 0, 2),
    after: () => () => undefined,
    every: () => () => undefined,
    cron: (_, call) => {
      tick = call
      return () => undefined
    },
  }
  const syncat = new Syncat({ clock, store: memoryStore(kept), schedule: '0 * * * *' })
  syncat.begin()
  const said: string[] = []
  const watched = syncat.start((value, cause) => said.push(`${value}: ${cause}`))
  return {
    syncat,
    watched,
    value: () => said.at(-1)?.split(':')[0],
    cause: () => said.at(-1) ?? '',
    tick: () => {
      tick()
    },
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

async function secondary(kept?: Map<string, string>) {
  const one = node(kept)
  await one.syncat.enter({ to: 'wait' })
  await one.syncat.enter({ to: 'second' })
  return one
}

test('a secondary waits as soon as it is equal, until the next time of the schedule', async (t) => {
  const one = await secondary()
  t.is(one.value(), 'up')
  one.syncat.heard({ kind: 'copyFinished', epoch: 1 })
  await one.settled()
  t.is(one.value(), 'down')
  t.regex(one.cause(), /synchronised at 2026-01-02T00:00:00/)
  await one.syncat.enter({ to: 'wait' })
  t.is(one.value(), 'down')
  one.tick()
  await one.settled()
  t.is(one.value(), 'up')
  await t.throwsAsync(one.syncat.now(), { code: 'E_RFS_SYNCAT' })
})

test('a node that serves never waits, whoever synchronises with it', async (t) => {
  const one = node()
  await one.syncat.enter({ to: 'alone' })
  one.syncat.heard({ kind: 'copyFinished', epoch: 1 })
  await one.settled()
  t.is(one.value(), 'up')
  const other = await secondary()
  other.syncat.heard({ kind: 'copyFinished', epoch: 1 })
  await other.settled()
  await other.syncat.enter({ to: 'alone' })
  t.is(other.value(), 'up')
})

test('a restarted daemon goes on waiting, and a module that is started anew begins with a synchronisation', async (t) => {
  const kept = new Map<string, string>()
  const one = await secondary(kept)
  one.syncat.heard({ kind: 'copyFinished', epoch: 1 })
  await one.settled()
  const adopted = node(kept)
  await adopted.syncat.adopt('wait')
  t.regex(adopted.syncat.line, /has the data of 2026-01-02/)
  await adopted.syncat.enter({ to: 'stop' })
  t.is(adopted.value(), 'up')
  t.is(kept.size, 0)
})

test('who orders a synchronisation where none is scheduled is told why there is nothing to do', async (t) => {
  const order = syncatCommands(undefined).get('rfs sync')
  const run = async (): Promise<unknown> => order?.run({}, never)
  const error = await t.throwsAsync<HoldfastError>(run, { code: 'E_RFS_NO_SYNCAT' })
  t.regex(error.hint ?? '', /has every change at once/)
})
