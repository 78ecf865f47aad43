/** When a serving node calls the pair whole, and what it does about a follower that is gone. */
import test from 'ava'
import { step } from './decide.js'
import { memory, peerAs, places, stateAt } from './state.fixture.js'
import type { Follower, State, View } from './types.js'

const live: Follower = { epoch: 3, stage: 'live', number: 1 }
const second: View = { ...peerAs('second'), ready: true }
const older = { ...memory, generation: { ...memory.generation, number: 0 } }

/** ALONE with this follower, and what the peer says of itself then. */
function told(follower: Follower | undefined, view: View): State {
  const before = stateAt({ ...places.prim, role: 'alone', follower }, 'second')
  return step(before, { kind: 'told', message: { kind: 'view', view, asks: false } }).next
}

const seen: readonly (readonly [string, Follower | undefined, View, 'prim' | 'alone'])[] = [
  ['a secondary that is ready in the same generation', live, second, 'prim'],
  ['one that is not ready', live, { ...second, ready: false }, 'alone'],
  ['one of another generation', live, { ...second, memory: older }, 'alone'],
  ['one that copies still', { ...live, stage: 'copying' }, second, 'alone'],
  ['one that was not let in', undefined, second, 'alone'],
]
for (const [who, follower, view, role] of seen) {
  test(`${who} makes the pair ${role === 'prim' ? 'whole' : 'not whole'}`, (t) => {
    t.is(told(follower, view).place.role, role)
  })
}

test('a follower that writes depend on and that left is given up, one that copies is not waited for', (t) => {
  const gone = told(live, peerAs('wait'))
  t.true(gone.place.role === 'alone' && gone.place.degrading !== undefined)
  const copying = told({ ...live, stage: 'copying' }, peerAs('wait'))
  t.true(copying.place.role === 'alone' && copying.place.degrading === undefined)
})

test('a preferred node takes its role back as soon as the pair is whole, not before', (t) => {
  const preferring = (view: View): State => {
    const before = stateAt({ ...places.prim, role: 'alone', follower: live }, 'second')
    const configured = { ...before, config: { ...before.config, defaultprim: 'b' } }
    return step(configured, { kind: 'told', message: { kind: 'view', view, asks: false } }).next
  }
  t.is(preferring(second).place.role, 'demoting')
  t.is(preferring({ ...second, memory: older }).place.role, 'alone')
})
