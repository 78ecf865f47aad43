/** A node that can't be made equal: how often it asks, and what the operator sees meanwhile. */
import test from 'ava'
import type { Clock, ReplicaEvent } from '@holdfast/sdk'
import { realExec } from '../testing/world.js'
import { memoryStore } from '../testing/store.js'
import { Invitations } from './invitation.js'

/** A node that is invited whenever it asks; the rests that it took are noted, and take no time. */
function guest() {
  const rests: number[] = []
  const lines: (string | undefined)[] = []
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: (ms, call) => {
      rests.push(ms)
      lines.push(invitations.line)
      call()
      return () => undefined
    },
    every: () => () => undefined,
    cron: () => () => undefined,
  }
  const session = { session: 'ab'.repeat(16), key: 'cd'.repeat(32), port: 5600, format: 1 }
  const parts = {
    ...{ clock, exec: realExec, store: memoryStore(), entry: '' },
    log: { write: () => undefined },
    peers: { others: ['n1'], address: () => '10.0.0.1', call: () => Promise.resolve(session) },
    config: { rfs: { replicated: [{ dir: '/srv/one' }] } },
  }
  // Of the world of a driver, what an invitation uses.
  const invitations = new Invitations(
    parts as unknown as ConstructorParameters<typeof Invitations>[0],
  )
  const asks = async (...events: ReplicaEvent[]): Promise<void> => {
    await invitations.ask({ epoch: 1, speaks: 2, abandons: undefined })
    for (const event of events) invitations.heard(event)
  }
  return { invitations, rests, lines, asks }
}

const full: ReplicaEvent = { kind: 'linkLost', epoch: 1, cause: 'write f: ENOSPC' }
const equal: ReplicaEvent = { kind: 'copyFinished', epoch: 1 }

test('a node whose copies end early asks less and less often, says why, and at once again after one that did not', async (t) => {
  const { invitations, rests, lines, asks } = guest()
  for (let attempt = 0; attempt < 8; attempt++) await asks(full)
  t.deepEqual(rests, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  t.is(
    lines[1],
    '3 copies to this node ended early: write f: ENOSPC; the next one begins after 2 s',
  )
  t.is(invitations.line, undefined)
  await asks(equal, full)
  rests.length = 0
  await asks()
  t.deepEqual(rests, [])
})

test('who is told to stop following, or only serves, does not rest when it follows the next time', async (t) => {
  const { invitations, rests, asks } = guest()
  for (let attempt = 0; attempt < 2; attempt++) await asks(full)
  invitations.forget()
  for (let lost = 0; lost < 5; lost++) invitations.heard(full)
  await asks(full)
  await asks(full)
  t.deepEqual(rests, [])
  await asks(full)
  t.deepEqual(rests, [1_000])
})
