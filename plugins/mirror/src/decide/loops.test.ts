/** Which orders maxloop counts, and what the one too many does. */
import test from 'ava'
import type { OperatorCommand } from '@holdfast/sdk'
import { step } from './decide.js'
import { places, stateAt } from './state.fixture.js'
import type { State } from './types.js'

type By = 'operator' | 'rule' | 'routine'

function order(state: State, command: OperatorCommand, by: By): State {
  return step(state, {
    kind: 'commanded',
    command,
    full: false,
    identity: by === 'operator' ? undefined : 'r',
    routine: by === 'routine',
    cause: 'because',
    wallMs: 1_000,
    ticket: 1,
  }).next
}

const prim = stateAt(places.prim, 'second')
const second = stateAt(places.second, 'prim')
const waiting = stateAt(places.wait, 'stop')

const counted: readonly (readonly [string, State, OperatorCommand, By, number])[] = [
  ['a rule that restarts', prim, 'restart', 'rule', 1],
  ['a rule that stops and starts', prim, 'stopstart', 'rule', 1],
  ['a rule that lets a primary wait', prim, 'wait', 'rule', 1],
  ['a rule that lets a secondary wait', second, 'wait', 'rule', 1],
  ['a rule that lets wait what waits', waiting, 'wait', 'rule', 0],
  ['a rule that swaps', prim, 'swap', 'rule', 0],
  ['a rule that stops', prim, 'stop', 'rule', 0],
  ['a routine restart', prim, 'restart', 'routine', 0],
  ['a routine wait', prim, 'wait', 'routine', 0],
  ['the operator', prim, 'restart', 'operator', 0],
]
for (const [who, state, command, by, loops] of counted) {
  test(`maxloop ${loops === 0 ? 'does not count' : 'counts'} ${who}`, (t) => {
    t.is(order(state, command, by).loops.length, loops)
  })
}

const thrice: readonly number[] = [1, 2, 3]

test('the fourth order of rules stops the module, whatever it asks for', (t) => {
  for (const command of ['restart', 'stopstart', 'wait'] as const) {
    const { place, cause } = order({ ...prim, loops: thrice }, command, 'rule')
    t.is(place.role === 'demoting' ? place.to : place.role, 'stop', command)
    t.is(cause, 'stopped by maxloop: because')
  }
})

test('what is not counted goes on after the third', (t) => {
  const swapped = order({ ...prim, loops: thrice }, 'swap', 'rule')
  t.is(swapped.place.role === 'demoting' ? swapped.place.to : '', 'wait')
  const routine = order({ ...prim, loops: thrice }, 'restart', 'routine')
  t.is(routine.place.role, 'prim')
  t.deepEqual(routine.loops, thrice)
})

test('an order of the operator begins a new count, one of a rule does not', (t) => {
  t.deepEqual(order({ ...prim, loops: thrice }, 'restart', 'operator').loops, [])
  t.deepEqual(order({ ...prim, loops: thrice }, 'swap', 'rule').loops, thrice)
})

test('an order that is refused counts nothing', (t) => {
  t.deepEqual(order(second, 'restart', 'rule').loops, [])
  t.deepEqual(order({ ...second, loops: thrice }, 'restart', 'operator').loops, thrice)
})
