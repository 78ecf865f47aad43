/** Whoever keeps the values and tells them to the other node sees by their identity that nothing changed. */
import test from 'ava'
import { nothingKnown, step } from './decide.js'

test('an event that changes no value leaves the values the same object', (t) => {
  const at = { nowMs: 1, wallMs: 1 }
  const watched = step(nothingKnown, {
    ...at,
    fact: {
      kind: 'rulesChanged',
      rules: [],
      checkers: new Map([['tcp.web', 'prim' as const]]),
      replaced: [],
    },
  }).next
  const serving = step(watched, {
    ...at,
    fact: { kind: 'moduleChanged', role: 'PRIM', sub: 'Ready' },
  })
  t.not(serving.next.local, watched.local)
  t.is(step(serving.next, { ...at, fact: { kind: 'timeUp' } }).next.local, serving.next.local)
  const again = { ...at, fact: { kind: 'moduleChanged', role: 'PRIM', sub: 'Ready' } } as const
  t.is(step(serving.next, again).next.local, serving.next.local)
})
