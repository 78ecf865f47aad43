import { execFileSync } from 'node:child_process'
import { checker, interfacesOf, watchedInterface } from '@holdfast/sdk'
import { really, startPlugin, TestClock, TestExec, TestLog } from '@holdfast/sdk/testing'
import test from 'ava'
import { judge } from './judge.js'
import { check, plugin } from './index.js'
import { Links } from './links.js'

const namespace = `hfintf${String(process.pid)}`
const before = ['ip', 'netns', 'exec', namespace]

function ip(...args: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, ...args])
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`waited in vain: ${what}`)
}

test.before(() => {
  execFileSync('ip', ['netns', 'add', namespace])
  ip('link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0')
  ip('link', 'set', 'b0', 'up')
  ip('link', 'set', 'a0', 'up')
  ip('address', 'add', '10.88.1.5/24', 'dev', 'a0')
})
test.after.always(() => {
  execFileSync('ip', ['netns', 'del', namespace])
})

function watching(more: { readonly before?: readonly string[] } = { before }) {
  const exec = new TestExec()
  exec.answer = really(before)
  const parts = { clock: new TestClock(), exec, log: new TestLog(), ...more }
  const own = new Links(parts).checker('lan', { name: undefined, address: '10.88.1.77' })
  const said: string[] = []
  return {
    ...parts,
    own,
    said,
    begin: () => own.start((value, cause) => said.push(`${value}: ${cause}`)),
    says: (text: string) =>
      until(`${text}, it said ${said.join(' | ')}`, () => said.at(-1) === text),
  }
}

test.serial(
  'the kernel tells that a cable is out, without a look of the clock; flapping is paced; stop leaves nothing',
  async (t) => {
    const world = watching()
    await world.begin()
    await world.says('up: a0 has a carrier')
    ip('link', 'set', 'b0', 'down')
    // The pace is the only time that passes.
    await until('the cable is out', () => {
      void world.clock.pass(100)
      return world.said.at(-1) === 'down: a0 has no carrier'
    })
    const looks = world.exec.ran.length
    for (let n = 0; n < 20; n++) ip('link', 'set', 'b0', n % 2 === 0 ? 'up' : 'down')
    t.true(world.exec.ran.length <= looks + 2, 'it looked although no time passed')
    ip('link', 'set', 'b0', 'up')
    await until('the cable is in', () => {
      void world.clock.pass(100)
      return world.said.at(-1) === 'up: a0 has a carrier'
    })
    await world.own.stop()
    await world.clock.pass(200)
    t.is(world.clock.pending, 0)
    t.deepEqual(world.log.events, [])
  },
)

test.serial('when nobody tells, it is named, and a look every second stands in', async (t) => {
  const world = watching({ before: ['/nonexistent'] })
  await world.begin()
  await world.says('up: a0 has a carrier')
  await until('it is named', () => world.log.events.includes('interfacesNotTold'))
  ip('link', 'set', 'b0', 'down')
  await world.clock.pass(1_100)
  await world.says('down: a0 has no carrier')
  world.exec.answer = () => ({ code: 1, stderr: 'no netlink' })
  await world.clock.pass(1_100)
  await world.says('unknown: ip -j address: no netlink')
  await world.own.stop()
  ip('link', 'set', 'b0', 'up')
  await world.clock.pass(200)
  t.is(world.clock.pending, 0)
})

test.serial('what joins ports has a carrier while one of them has', async (t) => {
  ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0')
  for (const port of ['p1', 'p2']) {
    ip('link', 'add', port, 'type', 'veth', 'peer', 'name', `${port}x`)
    ip('link', 'set', `${port}x`, 'up')
    ip('link', 'set', port, 'master', 'br0', 'up')
  }
  ip('link', 'set', 'br0', 'up')
  const text = (): string => execFileSync('ip', ['-n', namespace, '-j', 'address']).toString()
  const value = () => judge({ name: 'br0', address: undefined }, interfacesOf(text())).value
  await until('br0 is up', () => value() === 'up')
  ip('link', 'set', 'p1x', 'down')
  t.is(value(), 'up')
  ip('link', 'set', 'p2x', 'down')
  await until('br0 is down', () => value() === 'down')
  ip('link', 'set', 'p1x', 'up')
  await until('br0 is up again', () => value() === 'up')
})

test('what is switched off, missing or in no subnet is down, and the narrowest subnet is meant', (t) => {
  const link = (name: string, prefix: number, flags: readonly string[]) => ({
    ...{ name, mac: '', flags },
    addresses: [
      { address: '10.0.0.5', prefix, scope: 'global', tentative: false, refused: false },
      // Each interface has one of these: it says nothing about a way to anybody.
      { address: '11.0.0.1', prefix: 8, scope: 'link', tentative: false, refused: false },
    ],
  })
  const up = ['UP', 'LOWER_UP']
  const of = (name: string | undefined, address?: string) =>
    judge({ name, address }, [link('wide', 8, up), link('lan', 24, ['UP']), link('off', 16, [])])
  t.is(of(undefined, '10.0.0.9').cause, 'lan has no carrier')
  t.is(of(undefined, '10.9.0.9').cause, 'wide has a carrier')
  t.is(of('off').cause, 'off is switched off')
  t.is(of('eth7').cause, 'there is no interface eth7')
  t.is(of(undefined, '11.0.0.1').cause, 'no interface has a subnet with 11.0.0.1')
})

test('the interfaces of other plugins are watched, and the operator may take their names', async (t) => {
  const to = { name: 'eth9' }
  const host = await startPlugin(plugin, {
    config: { check: { intf: [{ ident: 'x', when: 'pre', to }] } },
    contributed: {
      [watchedInterface.id]: {
        '10.0.0.0': { ident: '10.0.0.0', name: undefined, address: '10.0.0.9' },
        x: { ident: 'x', name: undefined, address: '10.0.0.9' },
      },
    },
  })
  t.deepEqual([...host.contributions(checker).keys()], ['intf.10.0.0.0', 'intf.x'])
  await host.stop()
  const errors = (own: object): number =>
    check({ check: { intf: [{ ident: 'a', when: 'pre', to: own }] } }).errors.length
  t.is(errors(to), 0)
  t.is(errors({}), 1)
  t.is(errors({ local_addr: 'eth0' }), 1)
})
