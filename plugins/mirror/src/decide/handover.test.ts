/** A stop is over when the node that followed has the consent to take over: the machine may be switched off after it. */
import test from 'ava'
import { done } from '@holdfast/sdk'
import { step } from './decide.js'
import { shownOf } from './shown.js'
import { peerAs, places, stateAt } from './state.fixture.js'
import type { MirrorRole, State } from './types.js'

/** The application of `a` has just stopped; writes depended on `b`. */
function stopping(peer: MirrorRole): State {
  const place = {
    ...places.demoting,
    from: 'wait',
    to: 'stop',
    action: 'stop',
    dependsOn: 3,
  } as const
  return stateAt(place, peer)
}

const stopped = (peer: MirrorRole): State =>
  step(stopping(peer), { kind: 'left', epoch: 7, verdict: done }).next

const transient = { role: 'STOP', sub: 'Transient' } as const
const final = { role: 'STOP', sub: 'NotReady' } as const

test('a stop is not over before the node that followed was let take over', (t) => {
  const handing = stopped('second')
  t.deepEqual(shownOf(handing), transient)
  const lead = { kind: 'lead', epoch: 1, forced: false, view: peerAs('second') } as const
  const { next, actions } = step(handing, { kind: 'told', message: lead })
  t.deepEqual(shownOf(next), final)
  t.true(
    actions.some(({ kind, ...rest }) => kind === 'tell' && JSON.stringify(rest).includes('agreed')),
  )
})

test('a stop is over at once when nobody follows', (t) => {
  t.deepEqual(shownOf(stopped('wait')), final)
  t.deepEqual(shownOf(stopped('stop')), final)
})

test('a stop does not wait for a node that is gone, or that does not want to', (t) => {
  const handing = stopped('second')
  t.deepEqual(shownOf(step(handing, { kind: 'peerDisconnected' }).next), final)
  t.deepEqual(shownOf(step(handing, { kind: 'timeUp', epoch: handing.epoch }).next), final)
  t.deepEqual(shownOf(step(handing, { kind: 'adopted' }).next), final)
})
