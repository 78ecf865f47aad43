import test from 'ava'
import { remarkCharactersMax, remarksOf } from './remarks.js'

test('what plugins remark is shown in the order of their ids and cut; who throws is named, and the others are shown', (t) => {
  const said = (text: string | undefined) => ({ text: () => text })
  const throws = {
    text: (): string => {
      throw new Error('it broke')
    },
  }
  const all = [
    ['a', said('errd is off')],
    ['b', said(undefined)],
    ['c', throws],
    ['d', said('x'.repeat(1_000))],
  ] as const
  t.deepEqual(remarksOf(new Map(all)), [
    'errd is off',
    'remark c failed: it broke',
    'x'.repeat(remarkCharactersMax),
  ])
})
