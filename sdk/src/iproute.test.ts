import test from 'ava'
import { HoldfastError } from './errors.js'
import { interfacesOf, neighboursOf } from './iproute.js'

const lan = {
  ...{ ifname: 'eth0', address: '52:54:00:AA:00:01', flags: ['UP', 7, 'LOWER_UP'], mtu: 1_500 },
  addr_info: [
    { local: '10.0.0.5', prefixlen: 24, scope: 'global' },
    { local: 'fd00::5', prefixlen: 64, scope: 'global', tentative: true, dadfailed: true },
    { local: '10.0.0.6', prefixlen: '24' },
    { label: 'no address' },
    null,
  ],
}

test('of an interface what was expected is read, and what does not look so is left out', (t) => {
  const text = JSON.stringify([lan, { flags: ['UP'] }, { ifname: 'tun0' }, 'eth1', []])
  t.deepEqual(interfacesOf(text), [
    {
      ...{ name: 'eth0', mac: '52:54:00:aa:00:01', flags: ['UP', 'LOWER_UP'] },
      addresses: [
        { address: '10.0.0.5', prefix: 24, scope: 'global', tentative: false, refused: false },
        { address: 'fd00::5', prefix: 64, scope: 'global', tentative: true, refused: true },
      ],
    },
    { name: 'tun0', mac: '', flags: [], addresses: [] },
  ])
})

test('a neighbour that did not answer has no hardware address and is left out', (t) => {
  const answered = { dst: '10.0.0.9', dev: 'eth0', lladdr: '52:54:00:AA:00:09' }
  const silent = { dst: '10.0.0.8', dev: 'eth0', state: ['FAILED'] }
  const asked = { dst: 'fd00::9', lladdr: '52:54:00:aa:00:09' }
  t.deepEqual(neighboursOf(JSON.stringify([answered, silent, asked])), [
    { address: '10.0.0.9', interfaceName: 'eth0', mac: '52:54:00:aa:00:09' },
    { address: 'fd00::9', interfaceName: undefined, mac: '52:54:00:aa:00:09' },
  ])
})

test('nothing printed is nothing there; what is no list is refused with what to install', (t) => {
  t.deepEqual(interfacesOf('\n'), [])
  for (const text of ['{}', '[{', 'Object "-j" is unknown']) {
    const error = t.throws(() => neighboursOf(text), { instanceOf: HoldfastError })
    t.is(error.code, 'E_IPROUTE_ANSWER')
    t.regex(error.hint ?? '', /iproute2/)
  }
})
