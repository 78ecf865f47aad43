/** The judgement must be able to say no. */
import test from 'ava'
import { duplicatedRunners, lostEntries, runnersOf } from './judge.js'

const told = (id: string, sequence: number) => ({ id, sequence, node: 'n1', answeredMs: 1 })

test('an acknowledged entry that one copy does not have is lost', (t) => {
  const whole = new Map([
    ['a', 1],
    ['b', 2],
  ])
  t.deepEqual(lostEntries([told('a', 1), told('b', 2)], [whole, whole]), [])
  t.deepEqual(lostEntries([told('a', 1), told('b', 2)], [whole, new Map([['a', 1]])]), ['b'])
})

test('an entry under another number than the client was told is lost', (t) => {
  t.deepEqual(lostEntries([told('a', 1)], [new Map([['a', 2]])]), ['a'])
})

test('an entry that was never acknowledged may be there or not', (t) => {
  t.deepEqual(lostEntries([], [new Map([['a', 1]]), new Map()]), [])
})

test('two runners whose times touch are duplicated, also when one stood still in between', (t) => {
  const first = runnersOf('n1', '10 start 1 x\n20 alive 1 x\n90 alive 1 x\n')
  const second = runnersOf('n2', '40 start 1 y\n50 alive 1 y\n')
  t.is(duplicatedRunners([...first, ...second]).length, 1)
})

test('runners one after the other are not duplicated', (t) => {
  const first = runnersOf('n1', '10 start 1 x\n20 alive 1 x\n50 start 2 z\n60 alive 2 z\n70 al')
  const second = runnersOf('n2', '30 start 1 y\n40 alive 1 y\n')
  t.is(first.length, 2)
  t.is(duplicatedRunners([...first, ...second]).length, 0)
})
