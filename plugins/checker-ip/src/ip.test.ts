import { execFileSync } from 'node:child_process'
import { checker, watchedAddress } from '@holdfast/sdk'
import { really, startPlugin, TestExec } from '@holdfast/sdk/testing'
import test from 'ava'
import { check, plugin } from './index.js'

const ours = `hfipa${String(process.pid)}`
const stranger = `hfipb${String(process.pid)}`
const address = '10.89.0.9'

function ip(namespace: string, ...args: readonly string[]): string {
  return execFileSync('ip', ['-n', namespace, ...args]).toString()
}

test.before(() => {
  for (const name of [ours, stranger]) execFileSync('ip', ['netns', 'add', name])
  ip(ours, 'link', 'add', 'e0', 'type', 'veth', 'peer', 'name', 'e0', 'netns', stranger)
  for (const [name, own] of [
    [ours, '10.89.0.1/24'],
    [stranger, '10.89.0.2/24'],
  ] as const) {
    ip(name, 'link', 'set', 'e0', 'up')
    ip(name, 'address', 'add', own, 'dev', 'e0')
  }
})
test.after.always(() => {
  for (const name of [ours, stranger]) execFileSync('ip', ['netns', 'del', name])
})

async function watching(tolerated: readonly string[]) {
  const exec = new TestExec()
  exec.answer = really(['ip', 'netns', 'exec', ours])
  const host = await startPlugin(plugin, {
    config: {},
    services: { exec },
    contributed: {
      [watchedAddress.id]: { [address]: { address, duplicate: true, tolerated: () => tolerated } },
    },
  })
  const one = host.contribution(checker, `ip.${address}`)
  const said: string[] = []
  await one.start((value, cause) => said.push(`${value}: ${cause}`))
  return {
    ...{ host, one, exec },
    /** The next report; the question to the network takes a tenth of the plugin's second, and real commands real time. */
    next: async (): Promise<string> => {
      for (let turn = 0; turn < 1_000; turn++) {
        const text = said.shift()
        if (text !== undefined) return text
        if (exec.ran.at(-1)?.args.includes('use') === true) await host.clock.pass(100)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      throw new Error('it says nothing')
    },
    later: () => host.clock.pass(10_000 - (host.clock.monotonicMs() % 10_000)),
  }
}

test('an address that is missing is down, one that a stranger has as well is down, and both pass', async (t) => {
  const tolerated: string[] = []
  const { host, one, exec, next, later } = await watching(tolerated)
  t.is(await next(), `down: this node does not have ${address}`)
  ip(ours, 'address', 'add', `${address}/24`, 'dev', 'e0')
  await later()
  t.is(await next(), `up: ${address} is on e0`)
  ip(stranger, 'address', 'add', `${address}/24`, 'dev', 'e0')
  const mac = /link\/ether (\S+)/.exec(ip(stranger, 'link', 'show', 'e0'))?.[1] ?? ''
  await later()
  t.is(await next(), `up: ${mac} answers for ${address}, too (look 1 of 2 that failed)`)
  await later()
  t.is(await next(), `down: ${mac} answers for ${address}, too`)
  t.false(ip(ours, 'neighbour').includes(address), 'the question has left a trace')
  tolerated.push(mac)
  await later()
  t.is(await next(), `up: ${address} is on e0`, 'the other node is no stranger')
  tolerated.pop()
  ip(stranger, 'address', 'del', `${address}/24`, 'dev', 'e0')
  await later()
  t.is(await next(), `up: ${address} is on e0`)
  exec.answer = () => ({ code: 1, stderr: 'no netlink' })
  await later()
  t.is(await next(), 'unknown: ip -j address: no netlink')
  await one.stop()
  t.is(host.clock.pending, 0)
  await host.stop()
})

test('what is not an address is refused', (t) => {
  const of = (addr: string) => {
    const to = { addr, interval: 10, retries: 1, duplicate: true }
    return check({ check: { ip: [{ ident: 'a', when: 'prim', to }] } }).errors.length
  }
  t.is(of('10.0.0.1'), 0)
  t.is(of('fd00::1'), 0)
  t.is(of('service.example'), 1)
})
