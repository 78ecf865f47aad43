/** When a serving node calls the pair whole, and what it does about a follower that is gone. */
import test from 'ava'
import { done } from '@holdfast/sdk'
import { step } from './decide.js'
import { descend, type Lineage, noGeneration } from './lineage.js'
import { memory, peerAs, places, stateAt } from './state.fixture.js'
import type { Follower, Memory, PlaceOf, State, Step, View } from './types.js'

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

const by = { owner: 'b', mark: 2 }
const newer = { ...memory, ...descend(memory, by) }
const strange = { ...memory, ...descend({ generation: noGeneration, history: [] }, by) }

/** What a serving node answers to a peer with this memory that asks to be let in. */
function joined(theirs: Memory, full: boolean, place: Partial<PlaceOf<'alone'>> = {}): Step {
  const before = stateAt({ ...places.prim, role: 'alone', follower: undefined, ...place }, 'second')
  const view = { ...peerAs('second'), memory: theirs }
  const asked = { ...before, peer: { ...before.peer, view } }
  return step(asked, { kind: 'told', message: { kind: 'join', epoch: 9, full, view } })
}

function answer({ actions }: Step): string {
  for (const action of actions) {
    if (action.kind === 'admit') return action.full ? 'admitted in full' : 'admitted'
    if (action.kind === 'tell' && action.message.kind === 'disagreed') return 'disagreed'
  }
  return 'nothing'
}

const asking: readonly (readonly [string, Memory, boolean, Partial<PlaceOf<'alone'>>, string])[] = [
  ['of the same generation', memory, false, {}, 'admitted'],
  ['that is behind', older, false, {}, 'admitted'],
  ['that has other data', strange, false, {}, 'disagreed'],
  ['that gives up other data', strange, true, {}, 'admitted in full'],
  ['whose data the operator does not trust', memory, false, { fullNext: true }, 'admitted in full'],
  ['that comes before the application is up', memory, false, { stage: 'entering' }, 'nothing'],
]
for (const [who, theirs, full, place, said] of asking) {
  test(`a node ${who} is answered: ${said}`, (t) => {
    t.is(answer(joined(theirs, full, place)), said)
  })
}

test('a node that went on meanwhile is not let in: this one gives way', (t) => {
  t.is(joined(newer, false).next.place.role, 'demoting')
})

test('who asks while the application comes up is let in when it is up', (t) => {
  const { next } = joined(memory, false, { stage: 'entering' })
  const epoch = places.prim.epoch
  t.is(answer(step(next, { kind: 'entered', epoch, verdict: done, wallMs: 0 })), 'admitted')
})

test('the end of a copy that is not the present one changes nothing', (t) => {
  const copying = joined(memory, false).next
  const late = step(copying, { kind: 'copyFinished', epoch: 8 })
  t.deepEqual([late.next, late.actions], [copying, []])
  const { place } = step(copying, { kind: 'copyFinished', epoch: 9 }).next
  t.is(place.role === 'alone' ? place.follower?.stage : undefined, 'live')
})

const from = (owner: string, mark: number, lineage: Lineage): Memory => ({
  ...memory,
  ...descend(lineage, { owner, mark }),
})
/** Both went on from `first` on their own. */
const split = (first: Memory): readonly [mine: Memory, theirs: Memory] => [
  from('a', 8, first),
  from('b', 9, first),
]

const together: readonly (readonly [string, readonly [Memory, Memory], 'alone' | 'demoting'])[] = [
  ['the primary of both goes on', split(from('a', 5, memory)), 'alone'],
  ['the former secondary gives way', split(from('b', 5, memory)), 'demoting'],
  ['without a common past the first name goes on', [from('a', 8, strange), memory], 'alone'],
  ['who has less gives way', [memory, from('b', 9, memory)], 'demoting'],
  ['who has more goes on', [from('a', 8, memory), memory], 'alone'],
  ['of one generation its owner goes on', [memory, memory], 'alone'],
  ['of one generation the other gives way', [strange, strange], 'demoting'],
]
for (const [title, [mine, theirs], role] of together) {
  test(`both serve and hear each other again: ${title}`, (t) => {
    const serving = stateAt({ ...places.prim, role: 'alone', follower: undefined }, 'stop')
    const view = { ...peerAs('alone'), memory: theirs }
    const message = { kind: 'view', view, asks: false } as const
    t.is(step({ ...serving, memory: mine }, { kind: 'told', message }).next.place.role, role)
  })
}

test('a primary that goes on alone tells its resources so, a node that was alone does not', (t) => {
  const shifts = (role: 'prim' | 'alone'): number => {
    const before = stateAt({ ...places.prim, role }, 'second')
    const lost = step(before, { kind: 'peerSilent' })
    t.is(lost.next.place.role, 'alone')
    return lost.actions.filter(({ kind }) => kind === 'shift').length
  }
  t.is(shifts('prim'), 1)
  t.is(shifts('alone'), 0)
})

test('whoever may not go on asks again: soon while the time for it lasts, else after the time-out', (t) => {
  const again = (hasWitness: boolean): number | undefined => {
    const before = stateAt(places.prim, 'second')
    const config = { ...before.config, hasWitness, isolation: 'wait' as const }
    const lost = step({ ...before, config }, { kind: 'peerSilent' })
    const { epoch } = lost.next
    const { actions } = hasWitness
      ? step(lost.next, { kind: 'claimed', epoch, claim: 'unknown' })
      : lost
    const questions = actions.flatMap((one) => (one.kind === 'arm' ? [one] : []))
    return questions.find(({ timer }) => timer === 'question')?.delayMs
  }
  t.is(again(true), 500)
  t.is(again(false), 5_000)
})
