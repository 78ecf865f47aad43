/** When a node that has not stopped yet must have, and the right that is asked for afterwards. */
import test from 'ava'
import { step } from './decide.js'
import { overdue } from './right.js'
import { config, memory, peerAs, places, stateAt } from './state.fixture.js'
import type { Claim } from '@holdfast/sdk'
import type { Action, Place, PlaceOf, State } from './types.js'

const witnessed = { ...config, hasWitness: true }

const silent = { life: 'silent', connected: false, view: undefined, agreed: false } as const
const heard = { life: 'heard', connected: true, view: peerAs('second'), agreed: false } as const

function stepping(place: Partial<PlaceOf<'demoting'>>, more: Partial<State> = {}): State {
  const state = stateAt({ ...places.demoting, ...place }, 'second')
  return { ...state, config: witnessed, peer: heard, ...more }
}

const judged: readonly (readonly [string, State, RegExp | undefined])[] = [
  ['a stop that the other node hears of may last', stepping({}), undefined],
  ['a refused one may not', stepping({ isRefused: true }), /nobody let this node go on/],
  [
    'the other node serves',
    stepping({}, { peer: { ...heard, view: peerAs('alone') } }),
    /b serves/,
  ],
  ['the other node is silent and paired', stepping({}, { peer: silent }), /b is silent/],
  [
    'the other node is silent and certainly stale',
    stepping({}, { peer: silent, memory: { ...memory, paired: false } }),
    undefined,
  ],
  ['from alone as from prim', stepping({ from: 'alone', isRefused: true }), /nobody let/],
  ['a secondary runs nothing', stepping({ from: 'second', isRefused: true }), undefined],
  ['nor does who waits', stepping({ from: 'wait' }, { peer: silent }), undefined],
  [
    'without a witness nobody was given the right',
    stepping({ isRefused: true }, { config, peer: silent }),
    undefined,
  ],
  [
    'who serves and does not step down',
    { ...stateAt(places.prim, 'second'), config: witnessed, peer: silent },
    undefined,
  ],
]
for (const [title, state, why] of judged) {
  test(`overdue: ${title}`, (t) => {
    const said = overdue(state)
    if (why === undefined) t.is(said, undefined)
    else t.regex(said ?? '', why)
  })
}

/** Serves by the operator's choice, and its question is under way. */
function byChoice(more: Partial<State> = {}): { state: State; claimed: number | undefined } {
  const place: Place = { ...places.prim, role: 'alone', follower: undefined }
  const before = {
    ...stateAt(place, 'stop'),
    config: witnessed,
    peer: silent,
    memory: { ...memory, paired: false, unproved: true },
    ...more,
  }
  const noticed = step(before, { kind: 'peerSilent' })
  const timer = noticed.actions.find((one) => one.kind === 'arm')
  if (timer === undefined) return { state: noticed.next, claimed: undefined }
  const asked = step(noticed.next, { kind: 'timeUp', epoch: timer.epoch })
  return { state: asked.next, claimed: asked.actions.find(isClaim)?.generation }
}

function isClaim(action: Action): action is Extract<Action, { kind: 'claim' }> {
  return action.kind === 'claim'
}

const answered = (claim: Claim): State => {
  const { state } = byChoice()
  return step(state, { kind: 'claimed', epoch: state.epoch, claim }).next
}

test('who goes on by choice claims the generation that it began, not the next one', (t) => {
  t.is(byChoice().claimed, memory.generation.number)
})

test('what is granted afterwards is proved on disk; the application goes on', (t) => {
  const { place, memory: kept } = answered('granted')
  t.is(place.role, 'alone')
  t.false(kept.unproved)
})

test('no answer changes nothing, and the witness is asked again', (t) => {
  const { place, memory: kept } = answered('unknown')
  t.true(place.role === 'alone' && place.proving !== undefined)
  t.true(kept.unproved)
})

test('a refusal ends what the operator chose for not knowing, and the stop may not last', (t) => {
  const { place } = answered('refused')
  t.true(place.role === 'demoting' && place.isRefused)
})

test('a pair whose witness was taken away asks nobody', (t) => {
  t.is(byChoice({ config }).claimed, undefined)
})

test('what was granted at once, or by the other node, is not asked again', (t) => {
  t.is(byChoice({ memory: { ...memory, paired: false, unproved: false } }).claimed, undefined)
  t.is(byChoice({ memory: { ...memory, paired: false } }).claimed, undefined)
})
