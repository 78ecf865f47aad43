/** Tables for the pure part: addresses, places, duplicates, repeats, and what is wrong with a configuration. */
import test from 'ava'

import { type Address, parseAddress, parseNetmask } from './address.js'
import type { InterfaceConfig, VipConfig } from './config.js'
import { type InterfaceFact, judge, nextRepeatMs, place, toAdd, toRemove } from './decide.js'
import { parseInterfaces, parseNeighbours } from './parse.js'
import { placeAll, problemsOf, wantedOf } from './wanted.js'
import { watchedAddresses, watchedInterfaces } from './watched.js'

test('one IPv6 address has many spellings and one value', (t) => {
  const value = parseAddress('fd00::a00:1')?.value
  t.is(parseAddress('FD00:0:0:0:0:0:A00:1')?.value, value)
  t.is(parseAddress('fd00::10.0.0.1')?.value, value)
  t.is(parseAddress('fd00::0:a00:1')?.value, value)
  t.is(parseAddress('::')?.value, 0n)
})

test('what is not an address is refused', (t) => {
  const wrong = ['', '10.0.0', '10.0.0.256', '10.0.0.01', '1::2::3', '1:2:3:4:5:6:7:8:9', ':::']
  const odd = [
    '12345::',
    'g::',
    'fe80::1%eth0',
    'db.example.org',
    ' 10.0.0.1',
    '10.0.0.1/24',
    '::1:',
  ]
  for (const text of [...wrong, ...odd]) t.is(parseAddress(text), undefined, text)
})

test('a netmask is one run of ones', (t) => {
  t.is(parseNetmask('255.255.255.0'), 24)
  t.is(parseNetmask('255.255.254.0'), 23)
  t.is(parseNetmask('255.255.255.255'), 32)
  t.is(parseNetmask('16'), 16)
  for (const text of ['255.0.255.0', '0.0.0.0', '0', '33', '/24', 'ffffff00', '0.0.0.255', '']) {
    t.is(parseNetmask(text), undefined, text)
  }
})

test('an address goes to the narrowest subnet that contains it, on an interface that is up', (t) => {
  const wide = link('eth0', ['10.0.0.1/8'])
  const narrow = link('eth1', ['10.1.0.1/16'])
  const down = { ...link('eth2', ['10.1.1.1/24']), up: false }
  t.is(placedOn('10.1.1.9', [wide, narrow, down]), 'eth1/16')
  t.is(placedOn('10.2.0.9', [wide, narrow, down]), 'eth0/8')
  t.is(placedOn('10.1.1.9', [down]), 'eth2/24')
  t.is(placedOn('192.168.0.1', [wide, narrow]), undefined)
})

test('loopback, link-local and other virtual addresses do not make a subnet', (t) => {
  const loopback = { ...link('lo', ['10.0.0.1/8']), loopback: true }
  t.is(placedOn('10.1.1.9', [loopback]), undefined)
  const other = address('10.1.1.8')
  const wanted = { address: address('10.1.1.9'), interfaceName: undefined, prefix: undefined }
  t.is(place(wanted, [link('eth0', ['10.1.1.8/24'])], [other]).kind, 'nowhere')
})

test('a named interface is used, and a missing one is told with the ones that exist', (t) => {
  const links = [link('eth0', ['10.0.0.1/24']), link('eth1', ['10.0.0.2/24'])]
  const at = (interfaceName: string, prefix?: number) =>
    place({ address: address('10.0.0.9'), interfaceName, prefix }, links, [])
  t.like(at('eth1'), { kind: 'placed', placed: { interfaceName: 'eth1', prefix: 24 } })
  t.like(at('eth1', 32), { kind: 'placed', placed: { prefix: 32 } })
  t.like(at('eth7'), { reason: 'this node has no network interface eth7; it has eth0, eth1' })
})

test('an IPv6 address is a host route and needs a subnet of the same family', (t) => {
  t.is(placedOn('fd00::9', [link('eth0', ['fd00::1/64'])]), 'eth0/128')
  t.is(placedOn('fd01::9', [link('eth0', ['fd00::1/64'])]), undefined)
  t.is(placedOn('fd00::9', [link('eth0', ['10.0.0.1/8'])]), undefined)
})

test('only what is missing is added and only what is there is removed', (t) => {
  const links = [link('eth0', ['10.0.0.1/24', '10.0.0.9/24'])]
  const placed = (text: string) => ({
    address: address(text),
    interfaceName: 'eth0',
    prefix: 32,
  })
  const both = [placed('10.0.0.8'), placed('10.0.0.9')]
  t.deepEqual(
    toAdd(both, links).map((one) => one.address.text),
    ['10.0.0.8'],
  )
  t.deepEqual(
    toRemove(both, links).map((one) => [one.address.text, one.prefix]),
    [['10.0.0.9', 24]],
    'with the prefix that the kernel knows, else the removal would fail',
  )
})

test('a stranger is never robbed, a peer is after its time, and silence is free at once', (t) => {
  const answer = (mac: string) => ({ address: address('10.0.0.9'), mac })
  const kinds = (waitedMs: number, ...macs: string[]) =>
    judge({ answers: macs.map(answer), peerMacs: ['02:00:00:00:00:02'], waitedMs }).kind
  t.is(kinds(0), 'free')
  t.is(kinds(60_000), 'free')
  t.is(kinds(0, '02:00:00:00:00:02'), 'askAgain')
  t.is(kinds(2_999, '02:00:00:00:00:99'), 'askAgain')
  t.is(kinds(3_000, '02:00:00:00:00:02'), 'takeOver')
  t.is(kinds(3_000, '02:00:00:00:00:99'), 'refuse')
  t.is(kinds(3_000, '02:00:00:00:00:02', '02:00:00:00:00:99'), 'refuse')
})

test('announcements come early, then at the interval, and end', (t) => {
  const times = (schedule?: { intervalMs: number; elapseMs: number }) => {
    const list: number[] = []
    for (let at = 0; list.length < 20;) {
      const next = nextRepeatMs(at, schedule)
      if (next === undefined) return list
      t.true(next > 0)
      at += next
      list.push(at)
    }
    return list
  }
  t.deepEqual(times(), [1_000, 2_000, 5_000])
  t.deepEqual(times({ intervalMs: 4_000, elapseMs: 12_000 }), [1_000, 2_000, 5_000, 8_000, 12_000])
  t.deepEqual(times({ intervalMs: 60_000, elapseMs: 59_000 }), [1_000, 2_000, 5_000])
})

const wrongAddresses: readonly [addr: string, netmask: string | undefined, expected: RegExp][] = [
  ['10.0.0.300', undefined, /addr: "10\.0\.0\.300" is not an IP address; write/],
  ['10.0.0.9', '255.0.255.0', /netmask: "255\.0\.255\.0" is not a netmask; write/],
  ['fd00::9', '24', /netmask: netmask belongs to IPv4 only/],
  ['10.0.0.1', undefined, /addr: this node has 10\.0\.0\.1 itself, on eth0/],
  ['10.0.0.0', undefined, /addr: 10\.0\.0\.0 is the address of its whole subnet/],
  ['10.0.0.255', undefined, /addr: 10\.0\.0\.255 is the broadcast address/],
  ['192.168.7.7', undefined, /192\.168\.7\.7 is in no subnet of this node: eth0 10\.0\.0\.1\/24/],
  ['127.0.0.9', undefined, /loopback/],
  ['224.0.0.9', undefined, /multicast/],
  ['ff02::1', undefined, /multicast/],
  ['fe80::9', undefined, /link-local/],
  ['::ffff:10.0.0.9', undefined, /IPv4 address in IPv6 spelling/],
]

for (const [addr, netmask, expected] of wrongAddresses) {
  test(`the configuration is refused for addr ${addr} netmask ${netmask ?? '-'}`, (t) => {
    const config = configOf([{ addr, ...(netmask === undefined ? {} : { netmask }) }])
    const problems = problemsOf(config, [link('eth0', ['10.0.0.1/24', 'fd00::1/64'])], [])
    t.is(problems.length, 1)
    t.regex(`${problems[0]?.path ?? ''}: ${problems[0]?.message ?? ''}`, expected)
    t.true(
      problems[0]?.path.startsWith(
        '/vip/interface_list/interface/0/real_interface/virtual_addr/0/',
      ),
    )
  })
}

test('the same address twice is refused, in whatever spelling', (t) => {
  const config = configOf([{ addr: 'fd00::9' }, { addr: 'fd00:0::0009' }])
  const problems = problemsOf(config, [link('eth0', ['fd00::1/64'])], [])
  t.is(problems.length, 1)
  t.regex(problems[0]?.message ?? '', /written twice/)
  t.regex(problems[0]?.path ?? '', /virtual_addr\/1\/addr$/)
})

test('an address of another module is refused', (t) => {
  const config = configOf([{ addr: '10.0.0.9' }])
  const others = [{ module: 'mail', config }]
  const problems = problemsOf(config, [link('eth0', ['10.0.0.1/24'])], others)
  t.is(problems.length, 1)
  t.regex(problems[0]?.message ?? '', /^module mail has 10\.0\.0\.9 already/)
})

test('a good configuration has no problem, and its addresses have a place', (t) => {
  const config = configOf([{ addr: '10.0.0.9' }, { addr: 'fd00::9' }])
  const links = [link('eth0', ['10.0.0.1/24', 'fd00::1/64'])]
  t.deepEqual(problemsOf(config, links, []), [])
  t.is(placeAll(wantedOf(config), links).placed.length, 2)
})

test('only what is switched on is watched', (t) => {
  const config = configOf([{ addr: '10.0.0.9', check: true }, { addr: '10.0.0.8' }])
  t.deepEqual(
    watchedAddresses(config, () => []).map(({ address: text }) => text),
    ['10.0.0.9'],
  )
  t.deepEqual(watchedInterfaces(config, []), [])
})

test('what ip prints is read, and what is not JSON is a clear error', (t) => {
  const text = JSON.stringify([
    {
      ifname: 'eth0',
      flags: ['UP', 'LOWER_UP'],
      address: 'AA:BB:CC:DD:EE:FF',
      addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24, scope: 'global' }, {}, 7],
    },
    { nothing: true },
  ])
  t.like(parseInterfaces(text), [{ name: 'eth0', mac: 'aa:bb:cc:dd:ee:ff', up: true }])
  t.deepEqual(parseNeighbours('[{"dst":"10.0.0.9","dev":"eth0","state":["FAILED"]}]'), [])
  t.deepEqual(parseNeighbours(''), [])
  t.throws(() => parseInterfaces('usage: ip'), { code: 'E_IPROUTE_ANSWER' })
})

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}

function link(name: string, cidrs: readonly string[]): InterfaceFact {
  const addresses = cidrs.map((cidr) => {
    const [text = '', prefix = ''] = cidr.split('/')
    return { address: address(text), prefix: Number(prefix), linkScope: false, tentative: false }
  })
  return { name, mac: '02:00:00:00:00:01', up: true, loopback: false, addresses }
}

function placedOn(text: string, links: readonly InterfaceFact[]): string | undefined {
  const wanted = { address: address(text), interfaceName: undefined, prefix: undefined }
  const placement = place(wanted, links, [])
  return placement.kind === 'placed'
    ? `${placement.placed.interfaceName}/${String(placement.placed.prefix)}`
    : undefined
}

function configOf(
  addresses: readonly { addr: string; netmask?: string; check?: boolean }[],
  more: Partial<InterfaceConfig> = {},
): VipConfig {
  const virtual_addr = addresses.map((one) => ({
    check: false,
    ...one,
    where: 'one_side_alias' as const,
  }))
  const one = { check: false, arpreroute: true, arpinterval: 60, arpelapse: 1200, ...more }
  return {
    vip: {
      tcpreset: true,
      duplicatecheck: true,
      interface_list: { interface: [{ ...one, real_interface: { virtual_addr } }] },
    },
  }
}
