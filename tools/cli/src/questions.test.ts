/** What a person is asked who installs a module, and what counts as an answer. */
import type { PackageParameter } from '@holdfast/sdk'
import test from 'ava'
import { answersTo, missingOf } from './commands/questions.js'

const text = { type: 'string', description: undefined, required: true, value: '' } as const
const address: PackageParameter = { ...text, name: 'VIRTUAL_IP', title: 'address of clients' }
const isolation: PackageParameter = {
  ...text,
  name: 'ISOLATION',
  title: 'the other node is silent',
  choices: ['alone', 'wait'],
}

function typing(...typed: string[]) {
  const shown: string[] = []
  const ask = (lines: readonly string[]): Promise<string> => {
    shown.push(...lines)
    return Promise.resolve(typed.shift() ?? '')
  }
  return { ask, shown }
}

test('only what is required, has no value and was not given is asked for', (t) => {
  const port = { ...address, name: 'PORT', value: '80' }
  const free = { ...address, name: 'COMMENT', required: false }
  const all = [address, port, free, isolation]
  t.deepEqual(missingOf(all, { VIRTUAL_IP: '10.0.0.1' }), [isolation])
})

test('choices are numbered, and the number or the word is the answer', async (t) => {
  const { ask, shown } = typing('2', ' alone ')
  t.deepEqual(await answersTo([isolation], ask), { ISOLATION: 'wait' })
  t.deepEqual(shown, ['ISOLATION: the other node is silent', '  1  alone', '  2  wait'])
  t.deepEqual(await answersTo([isolation], ask), { ISOLATION: 'alone' })
})

test('another answer is asked again, three times at most, and then it is said how to write it', async (t) => {
  t.deepEqual(await answersTo([isolation], typing('', '3', '1').ask), { ISOLATION: 'alone' })
  t.deepEqual(await answersTo([address], typing('', '10.0.0.9').ask), { VIRTUAL_IP: '10.0.0.9' })
  const never = answersTo([isolation], typing('x', '0', 'y').ask)
  await t.throwsAsync(never, { message: /ISOLATION has no value/ })
})
