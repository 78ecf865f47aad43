/** The orders to the kernel, on machines of namespaces. */
import test from 'ava'

import { parseAddress } from './address.js'
import type { PlacedAddress } from './decide.js'
import { VipKernel } from './kernel.js'
import { Lan } from './lan.fixture.js'

const ipv4 = '10.77.0.100'
const ipv6 = 'fd77::100'
const { signal } = new AbortController()
const lan = new Lan(`vip${String(process.pid)}`)
lan.addMachine('n1', 1)

test.after.always(() => {
  lan.remove()
})

test('an address is seen on its interface without a program, and not on another one', (t) => {
  const kernel = new VipKernel({ run: () => Promise.reject(new Error('no program is needed')) })
  t.true(kernel.shows([placed('127.0.0.1', 'lo')]))
  t.false(kernel.shows([placed('127.0.0.1', 'lo'), placed('127.0.0.1', 'none')]))
  t.false(kernel.shows([placed('127.0.0.9', 'lo')]))
})

test('what is known of an owner from earlier times is no answer, and no question leaves a trace', async (t) => {
  const addresses = [placed(ipv4, 'eth0'), placed(ipv6, 'eth0')]
  const kernel = new VipKernel(lan.exec('n1'))
  const known = ['lladdr', '02:00:00:00:00:99', 'dev', 'eth0', 'nud', 'reachable']
  // Of the second one only: that there is none of the first one must not end the work.
  lan.ip('n1', 'neighbour', 'replace', ipv6, ...known)
  await kernel.ask(addresses, signal)
  t.deepEqual(await kernel.answers(addresses, signal), [])
  lan.ip('n1', 'neighbour', 'replace', ipv6, ...known)
  await kernel.forget(addresses)
  const left = lan.ip('n1', 'neighbour', 'show', 'dev', 'eth0')
  t.false(left.includes(ipv4) || left.includes(ipv6), left)
})

function placed(text: string, interfaceName: string): PlacedAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is an address`)
  return { address, interfaceName, prefix: 24 }
}
