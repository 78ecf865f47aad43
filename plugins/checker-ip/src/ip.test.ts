import { execFileSync } from 'node:child_process'
import { checker, HoldfastError, watchedAddress } from '@holdfast/sdk'
import { really, startPlugin, TestExec } from '@holdfast/sdk/testing'
import test from 'ava'
import { check, plugin } from './index.js'

const ours = `hfipa${String(process.pid)}`
const stranger = `hfipb${String(process.pid)}`
const families = [
  { family: 'IPv4', address: '10.89.0.9', network: '10.89.0.9/24', group: '224.0.0.1' },
  { family: 'IPv6', address: 'fd89::9', network: 'fd89::9/64', group: 'ff02::1:ff00:9' },
]

function ip(namespace: string, ...args: readonly string[]): string {
  return execFileSync('ip', ['-n', namespace, ...args]).toString()
}

test.before(() => {
  for (const name of [ours, stranger]) execFileSync('ip', ['netns', 'add', name])
  ip(ours, 'link', 'add', 'e0', 'type', 'veth', 'peer', 'name', 'e0', 'netns', stranger)
  for (const [name, number] of [
    [ours, '1'],
    [stranger, '2'],
  ] as const) {
    // Nobody's own duplicate detection may be quicker than the checker.
    const settings = ['net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.e0.accept_dad=0']
    execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', ...settings])
    ip(name, 'link', 'set', 'e0', 'up')
    ip(name, 'address', 'add', `10.89.0.${number}/24`, 'dev', 'e0')
    ip(name, 'address', 'add', `fd89::${number}/64`, 'dev', 'e0')
  }
})
test.after.always(() => {
  for (const name of [ours, stranger]) execFileSync('ip', ['netns', 'del', name])
})

/** The kernel joins the group in which an IPv6 address is asked for some time after it has the address. */
async function listens(namespace: string, group: string): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if (ip(namespace, 'maddress', 'show', 'dev', 'e0').includes(group)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`nobody listens to ${group}`)
}

async function watching(address: string, tolerated: readonly string[]) {
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
        const asks = exec.ran.at(-1)?.options.input?.includes(' use\n') === true
        if (asks) await host.clock.pass(100)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      throw new Error('it says nothing')
    },
    later: () => host.clock.pass(10_000 - (host.clock.monotonicMs() % 10_000)),
  }
}

for (const { family, address, network, group } of families) {
  test(`an ${family} address that is missing is down, one that a stranger has as well is down, and both pass`, async (t) => {
    const tolerated: string[] = []
    const { host, one, exec, next, later } = await watching(address, tolerated)
    t.is(await next(), `down: this node does not have ${address}`)
    ip(ours, 'address', 'add', network, 'dev', 'e0')
    await later()
    t.is(await next(), `up: ${address} is on e0`)
    ip(stranger, 'address', 'add', network, 'dev', 'e0')
    await listens(stranger, group)
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
    ip(stranger, 'address', 'del', network, 'dev', 'e0')
    await later()
    t.is(await next(), `up: ${address} is on e0`)
    exec.answer = () => ({ code: 1, stderr: 'no netlink' })
    await later()
    t.is(await next(), 'unknown: ip -j address: no netlink')
    await one.stop()
    t.is(host.clock.pending, 0)
    await host.stop()
  })
}

test('without nft an IPv6 address is watched all the same, and its cause says what is not', async (t) => {
  const own = 'fd89::1'
  const { host, one, exec, next } = await watching(own, [])
  const real = really(['ip', 'netns', 'exec', ours])
  exec.answer = async (ran) => {
    if (ran.command === 'nft') throw new HoldfastError('E_EXEC_START', "nft can't be run: ENOENT")
    return await real(ran)
  }
  t.is(await next(), `up: ${own} is on e0; nobody asks for a duplicate: nft can't be run: ENOENT`)
  await one.stop()
  await host.stop()
})

test('an IPv4 address is found without a program, whatever it is called', (t) => {
  ip(ours, 'address', 'add', '10.89.0.8/24', 'dev', 'e0', 'label', 'e0:svc')
  const program = `
    import { Kernel } from ${JSON.stringify(new URL('kernel.js', import.meta.url).href)}
    const run = (...command) => Promise.reject(new Error(command.join(' ')))
    const kernel = new Kernel({ exec: { run } })
    console.log(JSON.stringify(await kernel.held('10.89.0.8', AbortSignal.timeout(1_000))))`
  const node = [process.execPath, '--input-type=module', '--eval', program]
  const said = execFileSync('ip', ['netns', 'exec', ours, ...node]).toString()
  t.deepEqual(JSON.parse(said), { interfaceName: 'e0', refused: false })
})

test('another interface of this node that answers is no stranger, and an entry that is gone is no failure', async (t) => {
  const own = '10.89.0.1'
  const { host, one, exec, next } = await watching(own, [])
  const real = really(['ip', 'netns', 'exec', ours])
  const mac = /link\/ether (\S+)/.exec(ip(ours, 'link', 'show', 'e0'))?.[1] ?? ''
  exec.answer = async (ran) =>
    ran.options.input?.includes('show') === true
      ? { code: 2, stdout: JSON.stringify([{ dst: own, lladdr: mac }]), stderr: 'no such entry' }
      : await real(ran)
  t.is(await next(), `up: ${own} is on e0`)
  await one.stop()
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
