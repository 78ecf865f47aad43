import { checker, modules, type Modules, type ModuleState } from '@holdfast/sdk'
import { settled, startPlugin, TestNetwork } from '@holdfast/sdk/testing'
import test from 'ava'
import { check, plugin } from './index.js'

/** The modules of a node, told what they are. */
function node() {
  const states = new Map<string, ModuleState>()
  const watchers = new Set<Parameters<Modules['watch']>[0]>()
  const token: Modules = {
    state: (name) => states.get(name),
    watch: (on) => {
      watchers.add(on)
      return () => watchers.delete(on)
    },
  }
  const become = (role: ModuleState['role'], sub: ModuleState['sub']): void => {
    const nothing = { detail: undefined, hint: undefined, generation: undefined }
    const more = { ...nothing, progress: undefined, remote: undefined, cause: 'a test', sinceMs: 0 }
    const state = { role, sub, ...more }
    states.set('leader', state)
    for (const on of watchers) on('leader', state)
  }
  return { become, watchers, provided: { [modules.id]: token } }
}

interface To {
  readonly addr?: string
  readonly interval: number
  readonly timeout: number
}

const config = (to?: To) => ({
  check: {
    module: [{ name: 'leader', when: 'pre' as const, ...(to === undefined ? {} : { to }) }],
  },
})

test('it is up while the other module serves, and a restart quicker than the rules is shown for two seconds', async (t) => {
  const here = node()
  const host = await startPlugin(plugin, { config: config(), provided: here.provided })
  const one = host.contribution(checker, 'module.leader')
  const said: string[] = []
  await one.start((value, cause) => said.push(`${value}: ${cause}`))
  t.is(said.at(-1), 'down: there is no module leader')
  here.become('SECOND', 'Ready')
  here.become('PRIM', 'Transient')
  await host.clock.pass(10_000)
  here.become('PRIM', 'Ready')
  await host.clock.pass(2_000)
  t.is(said.at(-1), 'up: module leader is PRIM Ready')
  await host.clock.pass(30_000)
  const before = said.length
  here.become('PRIM', 'Transient')
  here.become('PRIM', 'Ready')
  await host.clock.pass(1_900)
  t.true(said.slice(before).every((text) => text.startsWith('down')))
  await host.clock.pass(100)
  t.is(said.at(-1), 'up: module leader is PRIM Ready')
  await one.stop()
  await host.stop()
  t.is(host.clock.pending + here.watchers.size, 0)
})

test('the other node is asked, its restart between two looks is seen, and its silence is down', async (t) => {
  const network = new TestNetwork(['n1', 'n2'])
  const there = node()
  there.become('ALONE', 'Ready')
  const to = { addr: 'n2', interval: 10, timeout: 5 }
  const remote = await startPlugin(plugin, {
    ...{ config: config(to), node: 'n2', services: { network }, provided: there.provided },
  })
  const host = await startPlugin(plugin, { config: config(to), services: { network } })
  const one = host.contribution(checker, 'module.leader_n2')
  const said: string[] = []
  await one.start((value, cause) => said.push(`${value}: ${cause}`))
  await settled()
  t.is(said.at(-1), 'up: module leader is ALONE Ready on n2')
  there.become('ALONE', 'Transient')
  there.become('ALONE', 'Ready')
  await host.clock.pass(10_000)
  t.is(said.at(-1), 'down: module leader is ALONE Ready on n2, it was restarted')
  await host.clock.pass(10_000)
  t.is(said.at(-1), 'up: module leader is ALONE Ready on n2')
  network.cut('n2')
  await host.clock.pass(10_000)
  t.regex(said.at(-1) ?? '', /^down: n2: /)
  await one.stop()
  await host.stop()
  await remote.stop()
})

test('a module that waits for itself and a node that is none are refused', (t) => {
  const context = { name: 'follower', nodes: ['n1', 'n2'] }
  t.deepEqual(check(config(), context).errors, [])
  t.is(check(config(), { ...context, name: 'leader' }).errors.length, 1)
  const { errors } = check(config({ addr: 'n3', interval: 10, timeout: 5 }), context)
  t.regex(errors[0]?.message ?? '', /allowed: n1, n2/)
})
