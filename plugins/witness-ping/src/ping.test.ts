import test from 'ava'
import { type Exec, HoldfastError, type RunResult } from '@holdfast/sdk'
import { check } from './index.js'
import { findingsOf } from './settings.js'
import { PingWitness } from './witness.js'

const log = { write: () => undefined }

/** A network in which these addresses answer; an address that does not is silent until the signal. */
function reaching(...answering: readonly string[]): Exec & { readonly asked: string[] } {
  const asked: string[] = []
  const ended = (code: number | undefined): RunResult => ({
    ...{ code, signal: undefined, timedOut: false, stdout: '', stderr: '' },
  })
  return {
    asked,
    run: async (command, args, { signal }) => {
      const address = args.at(-1) ?? ''
      asked.push(`${command} ${address}`)
      if (answering.includes(address)) return ended(0)
      await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }))
      return ended(undefined)
    },
  }
}

const cannotRun: Exec = {
  run: () => Promise.reject(new HoldfastError('E_EXEC_START', 'ping: not found')),
}

/** Unlike `AbortSignal.timeout` it keeps the process until the time is up. */
function patience(delayMs: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), delayMs)
  return controller.signal
}

function claim(exec: Exec, addresses: readonly string[], signal?: AbortSignal) {
  const until = signal ?? patience(200)
  return new PingWitness(addresses, { exec, log }).claim('ledger', 3, until)
}

test('one address that answers is enough, and nobody waits for the others', async (t) => {
  const exec = reaching('10.0.0.2')
  t.is(await claim(exec, ['10.0.0.1', '10.0.0.2'], new AbortController().signal), 'granted')
  t.deepEqual(exec.asked, ['ping 10.0.0.1', 'ping 10.0.0.2'])
})

test('silence, a missing command and a time that is up are unknown, never a no', async (t) => {
  t.is(await claim(reaching(), ['10.0.0.1']), 'unknown')
  t.is(await claim(cannotRun, ['10.0.0.1']), 'unknown')
  const exec = reaching('10.0.0.1')
  t.is(await claim(exec, ['10.0.0.1'], AbortSignal.abort()), 'unknown')
  t.deepEqual(exec.asked, [])
})

test('it does not call itself exclusive, and the configuration says what that means', async (t) => {
  t.false(new PingWitness(['10.0.0.1'], { exec: cannotRun, log }).exclusive)
  const settings = { 'witness-ping': { addr: '10.0.0.1' } }
  const { errors, warnings } = await check(settings, { exec: reaching('-V') })
  t.deepEqual(errors, [])
  t.regex(warnings[0]?.message ?? '', /both run the application/)
  t.is((await check(settings, { exec: cannotRun })).errors.length, 1)
})

test('names and malformed addresses are refused with their place', (t) => {
  const messages = (addr: string): number => findingsOf({ 'witness-ping': { addr } }).length
  t.is(messages('10.0.0.1 fd00::1'), 0)
  t.is(messages('router'), 1)
  t.is(messages('10.0.0.1,10.0.0.2'), 1)
  t.is(messages(' '), 1)
  t.is(messages('10.0.0.1 '.repeat(9)), 1)
})
