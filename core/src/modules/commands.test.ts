/** Commands of plugins: what they get, and what the host does about those that misbehave. */
import { type Command, HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { systemClock } from '../scheduling/clock.js'
import { malformedCommand, runCommand } from './commands.js'
import { refusal } from './rig.js'

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['resource'],
  properties: { resource: { type: 'string' }, value: { enum: ['up', 'down'], default: 'up' } },
}

function command(run: (parameters: unknown, signal: AbortSignal) => unknown): Command {
  const answer = run as Command['run'] // On purpose: what a careless plugin returns.
  return { summary: 'a test', parameters: schema, positional: [], run: answer }
}

function run(offered: Command, parameters: Record<string, unknown>): ReturnType<Command['run']> {
  const commands = new Map([['resource set', offered]])
  const signal = new AbortController().signal
  return runCommand(commands, { command: 'resource set', parameters, signal, clock: systemClock })
}

test('a command gets checked parameters with their defaults, and its result is what JSON keeps', async (t) => {
  const offered = command((parameters) => ({
    ok: true,
    lines: ['done'],
    data: { parameters, lost: undefined },
  }))
  t.deepEqual(await run(offered, { resource: 'custom.x' }), {
    ok: true,
    lines: ['done'],
    data: { parameters: { resource: 'custom.x', value: 'up' } },
  })
})

test('wrong parameters are told all at once, and the command does not run', async (t) => {
  const offered = command(() => t.fail())
  const { code, message } = await refusal(run(offered, { value: 'sideways', more: 1 }))
  t.is(code, 'E_COMMAND_INVALID')
  t.is(
    message,
    '"resource set": "resource" is missing; "more" is not known here; value allowed: up, down',
  )
})

test('what throws, returns nonsense or too much is refused with the name of the command', async (t) => {
  const cases: readonly [unknown, string][] = [
    [new Error('boom'), 'E_COMMAND_FAILED'],
    [undefined, 'E_COMMAND_FAILED'],
    [{ ok: 'yes', lines: [] }, 'E_COMMAND_FAILED'],
    [{ ok: true, lines: [1] }, 'E_COMMAND_FAILED'],
    [{ ok: true, lines: ['x'.repeat(900 * 1024)], data: null }, 'E_COMMAND_TOO_LARGE'],
    [new HoldfastError('E_OWN', 'not now'), 'E_OWN'],
  ]
  for (const [outcome, expected] of cases) {
    const offered = command(() => {
      if (outcome instanceof Error) throw outcome
      return outcome
    })
    const { code } = await refusal(run(offered, { resource: 'x' }))
    t.is(code, expected)
  }
})

test('the signal of a command that is still busy is given when its time is over', async (t) => {
  let signal: AbortSignal | undefined
  const offered = command((_, given) => {
    signal = given
    return new Promise(() => undefined)
  })
  const clock = {
    after: (_: number, call: () => void) => {
      setImmediate(call)
      return () => undefined
    },
  }
  const commands = new Map([['rfs verify', offered]])
  const parameters = { resource: 'x' }
  const caller = new AbortController().signal
  const request = { command: 'rfs verify', parameters, signal: caller, clock }
  t.is((await refusal(runCommand(commands, request))).code, 'E_TIMEOUT')
  t.true(signal?.aborted)
})

test('words that are no words, reserved parameters and malformed schemas are found before', (t) => {
  const plain = command(() => undefined)
  t.is(malformedCommand(new Map([['resource set', plain]])), undefined)
  const bad: readonly [string, object][] = [
    ['single', schema],
    ['Upper case', schema],
    ['a b', { type: 'object', properties: { json: { type: 'boolean' } } }],
    ['a b', { type: 'nonsense' }],
  ]
  for (const [words, parameters] of bad) {
    t.truthy(malformedCommand(new Map([[words, { ...plain, parameters }]])))
  }
})
