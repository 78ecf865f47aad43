import { checker } from '@holdfast/sdk'
import { settled, startPlugin, TestExec } from '@holdfast/sdk/testing'
import test from 'ava'
import { check, plugin } from './index.js'

const entry = (more: object = {}) => ({
  ...{ ident: 'gw', when: 'pre' as const },
  to: { addr: '192.0.2.1', interval: 10, timeout: 2, retries: 0, ...more },
})

async function watching(exec: TestExec) {
  const config = { check: { ping: [entry()] } }
  const host = await startPlugin(plugin, { config, services: { exec } })
  const one = host.contribution(checker, 'ping.gw')
  const said: string[] = []
  await one.start((value, cause) => said.push(`${value}: ${cause}`))
  await settled()
  return { host, one, said }
}

test('an answer is up, silence is down, and a ping that could not ask is unknown', async (t) => {
  const exec = new TestExec()
  exec.answer = () => ({ code: 0 })
  const { host, one, said } = await watching(exec)
  t.deepEqual(one.rule, { label: 'p_gw', action: 'wait' })
  t.deepEqual(exec.ran[0]?.args.at(-1), '192.0.2.1')
  const answers = [
    { code: 1, stdout: '3 packets transmitted, 1 received, 66% packet loss' },
    { code: 1, stdout: '3 packets transmitted, 0 received, 100% packet loss' },
    { code: 2, stderr: 'connect: Network is unreachable' },
    { code: 2, stderr: 'socket: Operation not permitted' },
  ]
  for (const answer of answers) {
    exec.answer = () => answer
    await host.clock.pass(10_000)
  }
  exec.answer = new TestExec().answer
  await host.clock.pass(10_000)
  exec.answer = () => new Promise(() => undefined)
  await host.clock.pass(13_000)
  t.deepEqual(said, [
    'up: 192.0.2.1 answers',
    'up: 192.0.2.1 answers',
    'down: 192.0.2.1 does not answer',
    'down: ping 192.0.2.1: connect: Network is unreachable',
    'unknown: ping 192.0.2.1: socket: Operation not permitted',
    'unknown: there is no ping',
    'down: no answer within 3000 ms',
  ])
  await one.stop()
  t.is(host.clock.pending, 0)
  await host.stop()
})

test('a node without ping and an address that is an option are refused', async (t) => {
  const exec = new TestExec()
  const none = await check({ check: { ping: [entry()] } }, { exec })
  t.regex(none.errors[0]?.message ?? '', /install iputils-ping/)
  exec.answer = () => ({ code: 0 })
  t.is((await check({ check: { ping: [entry()] } }, { exec })).errors.length, 0)
  t.is((await check({ check: { ping: [entry({ addr: '-f' })] } }, { exec })).errors.length, 1)
})
