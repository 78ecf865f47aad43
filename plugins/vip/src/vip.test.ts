/** The plugin on a real LAN of namespaces: what a client of the virtual address sees. */
import test, { type ExecutionContext } from 'ava'

import type { Transition } from '@holdfast/sdk'

import type { VipConfig } from './config.js'
import { check } from './index.js'
import { watchedAddresses, watchedInterfaces } from './watched.js'
import { fakePeers, Lan, memoryStore, realClock, vipNode } from './lan.fixture.js'
import { PeerInterfaces } from './neighbours.js'
import { VipKernel } from './kernel.js'

const ipv4 = '10.77.0.100'
const ipv6 = 'fd77::100'
const { signal } = new AbortController()
/** Clients that are not told of a new owner find it after 29 s; a loaded machine is allowed to be slow. */
const noticedMs = 8_000
const lan = new Lan(`vip${String(process.pid)}`)
lan.addMachine('n1', 1)
lan.addMachine('n2', 2)
lan.addMachine('client', 9)

test.after.always(() => {
  lan.remove()
})

test.serial('an IPv4 client reaches the new owner at once after a move', async (t) => {
  await moveWithClient(t, ipv4)
})

test.serial('an IPv6 client reaches the new owner at once after a move', async (t) => {
  await moveWithClient(t, ipv6)
})

test.serial('a free address is taken at once, and let go', async (t) => {
  const n2 = vipNode(lan, 'n2', { config: both() })
  const startMs = performance.now()
  t.deepEqual(await n2.resource.enter(to('alone'), signal), { ok: true })
  const tookMs = performance.now() - startMs
  t.true(lan.has('n2', ipv4) && lan.has('n2', ipv6))
  t.deepEqual(await n2.resource.leave(from('alone'), signal), { ok: true })
  t.false(lan.has('n2', ipv4) || lan.has('n2', ipv6))
  t.log(`${tookMs.toFixed(0)} ms`)
  // With a question that waits for its time-out, or the kernel's own duplicate detection, it would be seconds.
  t.true(tookMs < 10_000, `${tookMs.toFixed(0)} ms`)
})

test.serial(
  'an address that a stranger answers for is refused, and nothing is added',
  async (t) => {
    lan.ip('client', 'address', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad')
    const n1 = vipNode(lan, 'n1', { config: both(), peerMacs: [lan.mac('n2')] })
    const verdict = await n1.resource.enter(to('prim'), signal)
    lan.ip('client', 'address', 'del', `${ipv6}/64`, 'dev', 'eth0')
    t.like(verdict, { ok: false, code: 'E_VIP_DUPLICATE' })
    const what = `another machine on the network of eth0 has the virtual address ${ipv6} (${lan.mac('client')} answers): remove it there`
    t.true(!verdict.ok && verdict.reason.startsWith(what), verdict.ok ? '' : verdict.reason)
    t.false(lan.has('n1', ipv4) || lan.has('n1', ipv6))
  },
)

test.serial('a stranger is noticed also in the first second after the cable came in', async (t) => {
  const young = new Lan(`vip${String(process.pid)}b`)
  try {
    young.addMachine('n1', 1)
    young.addMachine('client', 9)
    young.ip('client', 'address', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad')
    const n1 = vipNode(young, 'n1', { config: both() })
    t.like(await n1.resource.enter(to('prim'), signal), { ok: false, code: 'E_VIP_DUPLICATE' })
  } finally {
    young.remove()
  }
})

test.serial('an address that a dead node still answers for is taken over', async (t) => {
  const n1 = vipNode(lan, 'n1', { config: both() })
  await n1.resource.enter(to('prim'), signal)
  const n2 = vipNode(lan, 'n2', { config: both(), peerMacs: [lan.mac('n1')] })
  t.deepEqual(await n2.resource.enter(to('alone'), signal), { ok: true })
  t.true(n2.events.includes('addressTakenFromPeer'))
  t.true(lan.has('n2', ipv4) && lan.has('n2', ipv6))
  await n1.resource.leave(from('prim'), signal)
  await n2.resource.leave(from('alone'), signal)
})

test.serial('an address that its old owner removes meanwhile is taken without alarm', async (t) => {
  const n1 = vipNode(lan, 'n1', { config: both() })
  await n1.resource.enter(to('prim'), signal)
  const n2 = vipNode(lan, 'n2', { config: both() })
  const entering = n2.resource.enter(to('alone'), signal)
  await n1.resource.leave(from('prim'), signal)
  t.deepEqual(await entering, { ok: true })
  t.false(n2.events.includes('addressTakenFromPeer'))
  await n2.resource.leave(from('alone'), signal)
})

test.serial('a restarted daemon adopts the address without a gap', async (t) => {
  const store = memoryStore()
  const killed = vipNode(lan, 'n1', { config: both(), store })
  await killed.resource.enter(to('prim'), signal)
  await killed.resource.rest()
  const server = await serve('n1')
  const seen = clientOf(ipv4)
  await seen.answered(5)
  const restarted = vipNode(lan, 'n1', { config: both(), store })
  t.deepEqual(await restarted.resource.adopt('prim'), { ok: true })
  await seen.answered(5)
  t.true(seen.longestGapMs() < noticedMs, `${seen.longestGapMs().toFixed(0)} ms`)
  seen.stop()
  server.kill('SIGKILL')
  await restarted.resource.leave(from('prim'), signal)
  t.false(lan.has('n1', ipv4))
})

test.serial(
  'a node that does not serve removes what it left behind, and nothing else',
  async (t) => {
    const store = memoryStore()
    const killed = vipNode(lan, 'n1', { config: both(), store })
    await killed.resource.enter(to('prim'), signal)
    await killed.resource.rest()
    lan.ip('n1', 'address', 'add', '10.77.0.200/24', 'dev', 'eth0')
    const restarted = vipNode(lan, 'n1', { config: both(), store })
    t.deepEqual(await restarted.resource.adopt('wait'), { ok: true })
    t.false(lan.has('n1', ipv4) || lan.has('n1', ipv6))
    t.true(lan.has('n1', '10.77.0.200'))
    lan.ip('n1', 'address', 'del', '10.77.0.200/24', 'dev', 'eth0')
  },
)

test.serial('an address that was removed by hand is not an error when leaving', async (t) => {
  const n1 = vipNode(lan, 'n1', { config: both() })
  await n1.resource.enter(to('prim'), signal)
  lan.ip('n1', 'address', 'del', `${ipv4}/24`, 'dev', 'eth0')
  t.deepEqual(await n1.resource.leave(from('prim'), signal), { ok: true })
  t.deepEqual(await n1.resource.leave(from('prim'), signal), { ok: true }, 'safe to repeat')
})

test.serial('an address that somebody removed comes back while the node serves', async (t) => {
  const n1 = vipNode(lan, 'n1', { config: both() })
  await n1.resource.enter(to('prim'), signal)
  lan.ip('n1', 'address', 'flush', 'dev', 'eth0', 'to', ipv4)
  await n1.look()
  t.true(lan.has('n1', ipv4))
  t.true(n1.events.includes('addressMissing'))
  await n1.resource.leave(from('prim'), signal)
  await n1.look()
  t.false(lan.has('n1', ipv4), 'and not after it left')
})

test.serial('an address that was removed and belongs to a stranger now stays away', async (t) => {
  const n1 = vipNode(lan, 'n1', { config: both() })
  await n1.resource.enter(to('prim'), signal)
  lan.ip('n1', 'address', 'flush', 'dev', 'eth0', 'to', ipv4)
  lan.ip('client', 'address', 'add', `${ipv4}/24`, 'dev', 'eth0')
  await n1.look()
  t.false(lan.has('n1', ipv4))
  lan.ip('client', 'address', 'del', `${ipv4}/24`, 'dev', 'eth0')
  await n1.look()
  t.true(lan.has('n1', ipv4))
  await n1.resource.leave(from('prim'), signal)
})

for (const address of [ipv4, ipv6]) {
  test.serial(`an idle connection to ${address} is reset when the address goes`, async (t) => {
    const n1 = vipNode(lan, 'n1', { config: both() })
    await n1.resource.enter(to('prim'), signal)
    const server = await serve('n1')
    const client = idleClientOf(address)
    await client.connected
    await n1.resource.leave(from('prim'), signal)
    t.is(await client.ended, 'ECONNRESET')
    server.kill('SIGKILL')
  })
}

test.serial(
  'permanent neighbour entries of the administrator survive an announcement',
  async (t) => {
    lan.ip('n1', 'neigh', 'add', '10.77.0.50', 'lladdr', '02:00:00:00:00:50', 'dev', 'eth0')
    lan.ip('n1', 'neigh', 'add', 'fd77::50', 'lladdr', '02:00:00:00:00:50', 'dev', 'eth0')
    const n1 = vipNode(lan, 'n1', { config: both() })
    await n1.resource.enter(to('prim'), signal)
    await n1.resource.leave(from('prim'), signal)
    const permanent = lan.ip('n1', 'neigh', 'show', 'nud', 'permanent')
    t.true(permanent.includes('10.77.0.50 ') && permanent.includes('fd77::50 '), permanent)
  },
)

test.serial(
  'a cable that was cut does not keep the other node from taking the address',
  async (t) => {
    const n1 = vipNode(lan, 'n1', { config: both() })
    await n1.resource.enter(to('prim'), signal)
    const server = await serve('n1')
    const seen = clientOf(ipv4)
    await seen.answered(3)
    const other = await serve('n2')
    lan.cutCable('n1')
    const n2 = vipNode(lan, 'n2', { config: both() })
    await n2.resource.enter(to('alone'), signal)
    await seen.answeredBy('n2')
    t.log(`gap ${seen.longestGapMs().toFixed(0)} ms`)
    t.true(seen.longestGapMs() < noticedMs, `${seen.longestGapMs().toFixed(0)} ms`)
    seen.stop()
    server.kill('SIGKILL')
    other.kill('SIGKILL')
    await n1.resource.leave(from('prim'), signal)
    await n2.resource.leave(from('alone'), signal)
    lan.plugCable('n1')
  },
)

test.serial(
  'check finds what does not fit this node, and nothing in a good configuration',
  async (t) => {
    const context = { exec: lan.exec('n1'), others: [] }
    t.deepEqual(await check(both(), context), { errors: [] })
    const wrong = await check(configOf(['10.77.0.1', '192.168.3.3']), context)
    t.is(wrong.errors.length, 2)
  },
)

test.serial(
  'interfaces are watched by the name of their network, and addresses by their own',
  async (t) => {
    const facts = await new VipKernel(lan.exec('n1')).interfaces()
    const config = both()
    t.deepEqual(watchedInterfaces(config, facts), [
      { ident: '10.77.0.0', name: undefined, address: ipv4 },
    ])
    t.deepEqual(watchedInterfaces(config, [])[0]?.ident, ipv4)
    const addresses = watchedAddresses(config, () => ['m'])
    t.deepEqual(
      addresses.map(({ address, duplicate }) => [address, duplicate]),
      [
        [ipv4, true],
        [ipv6, true],
      ],
    )
  },
)

test.serial(
  'nodes tell each other their hardware addresses, and hostile messages are ignored',
  async (t) => {
    const { peers, sent, receive } = fakePeers(['n2'])
    const kernel = new VipKernel(lan.exec('n1'))
    const store = memoryStore()
    const log = { write: () => undefined }
    const scope = { contribute: () => undefined, provide: () => undefined, onStop: () => undefined }
    const first = new PeerInterfaces({ kernel, peers, store, log })
    await first.open(scope)
    const told = { kind: 'interfaces', macs: [lan.mac('n1')] }
    t.like(sent, [{ node: 'n2', message: { ...told, asks: true } }])
    for (const hostile of [null, 7, 'x', {}, { kind: 'interfaces', macs: [7] }])
      receive('n2', hostile)
    receive('n2', { kind: 'interfaces', macs: Array.from({ length: 65 }, () => lan.mac('n2')) })
    receive('n2', { kind: 'interfaces', macs: ['; reboot'] })
    t.deepEqual(first.macs(), [])
    receive('n2', { kind: 'interfaces', version: 1, macs: [lan.mac('n2')] })
    t.deepEqual(first.macs(), [lan.mac('n2')])
    const restarted = new PeerInterfaces({ kernel, peers, store, log })
    await restarted.open(scope)
    t.deepEqual(restarted.macs(), [lan.mac('n2')], 'remembered over a restart')
  },
)

async function moveWithClient(t: ExecutionContext, address: string): Promise<void> {
  const servers = [await serve('n1'), await serve('n2')]
  const n1 = vipNode(lan, 'n1', { config: both() })
  const n2 = vipNode(lan, 'n2', { config: both() })
  t.deepEqual(await n1.resource.enter(to('prim'), signal), { ok: true })
  const seen = clientOf(address)
  await seen.answeredBy('n1')
  t.true(lan.ip('client', 'neigh', 'show', address).includes(lan.mac('n1')), 'the cache is warm')
  await n1.resource.leave(from('prim'), signal)
  t.deepEqual(await n2.resource.enter(to('prim'), signal), { ok: true })
  await seen.answeredBy('n2')
  t.true(lan.ip('client', 'neigh', 'show', address).includes(lan.mac('n2')), 'the cache is new')
  t.log(`gap ${seen.longestGapMs().toFixed(0)} ms`)
  t.true(seen.longestGapMs() < noticedMs, `${seen.longestGapMs().toFixed(0)} ms`)
  seen.stop()
  await n2.resource.leave(from('prim'), signal)
  for (const server of servers) server.kill('SIGKILL')
}

/** Answers each connection with the name of its machine, and keeps it open. */
async function serve(machine: string) {
  const program = `require('net').createServer((s) => { s.on('error', () => {}); s.write('${machine}') })
    .listen(7000, '::', () => console.log('listening'))`
  return await within<ReturnType<Lan['node']>>(`a server on ${machine}`, (resolve) => {
    const child = lan.node(machine, program, () => {
      resolve(child)
    })
  })
}

/** Connects again and again, each attempt bounded, and notes who answered when. */
function clientOf(address: string) {
  const program = `const again = () => { const s = require('net').connect(7000, '${address}'); let over = false
      const next = (text) => { if (over) return; over = true; if (text) console.log(text); s.destroy(); setTimeout(again, 5) }
      s.setTimeout(100, () => next('')); s.on('data', (d) => next(String(d))); s.on('error', () => next('')) }
    again()`
  const times: number[] = []
  let waiting: { machine: string | undefined; left: number; resolve: () => void } | undefined
  const child = lan.node('client', program, (machine) => {
    times.push(performance.now())
    if (waiting === undefined) return
    if (waiting.machine !== undefined && waiting.machine !== machine) return
    waiting.left -= 1
    if (waiting.left === 0) waiting.resolve()
  })
  const wait = (machine: string | undefined, left: number) =>
    within(`an answer of ${machine ?? 'anybody'}`, (resolve) => {
      waiting = {
        machine,
        left,
        resolve: () => {
          resolve(undefined)
        },
      }
    })
  return {
    answered: (count: number) => wait(undefined, count),
    answeredBy: (machine: string) => wait(machine, 3),
    longestGapMs: () => Math.max(0, ...times.slice(1).map((at, i) => at - (times[i] ?? at))),
    stop: () => child.kill('SIGKILL'),
  }
}

function idleClientOf(address: string) {
  const program = `const s = require('net').connect(7000, '${address}')
    s.on('data', () => console.log('connected')); s.on('error', (e) => console.log(e.code)); s.on('end', () => console.log('end'))`
  const lines: ((line: string) => void)[] = []
  const next = () => within<string>('an event of the idle client', (resolve) => lines.push(resolve))
  const connected = next()
  const ended = next()
  lan.node('client', program, (line) => lines.shift()?.(line))
  return { connected, ended }
}

/** A test that waits for ever would leave its machines behind. */
async function within<T>(what: string, begin: (resolve: (value: T) => void) => void): Promise<T> {
  let cancel: () => void = () => undefined
  const late = new Promise<never>((_resolve, reject) => {
    cancel = realClock.after(30_000, () => {
      reject(new Error(`${what} did not come within 30 s`))
    })
  })
  try {
    return await Promise.race([new Promise<T>(begin), late])
  } finally {
    cancel()
  }
}

function to(role: 'prim' | 'alone'): Transition {
  return { from: 'wait', to: role, action: 'start', cause: 'test', generation: '1:n1' }
}

function from(role: 'prim' | 'alone'): Transition {
  return { from: role, to: 'stop', action: 'stop', cause: 'test', generation: '1:n1' }
}

function both(): VipConfig {
  return configOf([ipv4, ipv6])
}

function configOf(addresses: readonly string[]): VipConfig {
  const virtual_addr = addresses.map((addr) => ({
    addr,
    where: 'one_side_alias' as const,
    check: true,
  }))
  const one = { check: true, arpreroute: true, arpinterval: 60, arpelapse: 1200 }
  return {
    vip: {
      tcpreset: true,
      duplicatecheck: true,
      interface_list: { interface: [{ ...one, real_interface: { virtual_addr } }] },
    },
  }
}
