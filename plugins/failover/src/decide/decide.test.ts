/** The failover machine by itself: given values and states, which orders follow and when. */
import type { CheckerPhase, ResourceValue, RoleName, SubState } from '@holdfast/sdk'
import test from 'ava'
import { nothingKnown } from './decide.js'
import { World } from './machine.fixture.js'

const web = 't_web: if (tcp.web == down) then restart();'
const gateway = 'p_gw: if (ping.gw == down) then wait();'

/** A module that serves, with a checker that has seen its application up. */
function serving(
  rules = web,
  checkers: Readonly<Record<string, CheckerPhase>> = { 'tcp.web': 'prim' },
): World {
  const world = new World(rules, checkers)
  world.is('WAIT', 'Transient')
  for (const [name, when] of Object.entries(checkers)) if (when === 'pre') world.say(name, 'up')
  world.pass(1_000)
  world.is('PRIM')
  for (const name of Object.keys(checkers)) world.say(name, 'up')
  world.pass(60_000)
  world.orders.length = 0
  return world
}

test('what was up and goes down for half a second is acted upon at once, with its cause', (t) => {
  const world = serving()
  world.say('tcp.web', 'down')
  world.pass(499)
  t.deepEqual(world.orders, [])
  world.pass(1)
  t.deepEqual(world.orders, ['t_web: restart'])
})

test('what is up again before the time is over is left alone', (t) => {
  const world = serving()
  world.say('tcp.web', 'down')
  world.pass(400)
  world.say('tcp.web', 'up')
  world.pass(60_000)
  t.deepEqual(world.orders, [])
})

test('what was never up since it is watched gets fifteen seconds to come', (t) => {
  const world = new World(web, { 'tcp.web': 'prim' })
  world.is('ALONE')
  world.say('tcp.web', 'down')
  world.pass(14_999)
  t.deepEqual(world.orders, [])
  world.pass(1)
  t.deepEqual(world.orders, ['t_web: restart'])
})

test('handle_time counts when the operator wrote it', (t) => {
  const world = new World(web, { 'tcp.web': 'prim' }, { ...nothingKnown, handleTimeMs: 3_000 })
  world.is('ALONE')
  world.say('tcp.web', 'up')
  world.say('tcp.web', 'down')
  world.pass(2_999)
  t.deepEqual(world.orders, [])
  world.pass(1)
  t.deepEqual(world.orders, ['t_web: restart'])
})

test('a resource that flaps ten times a second causes no order, is named once, and another one still counts', (t) => {
  const world = serving(`${web} t_db: if (tcp.db == down) then stopstart();`, {
    'tcp.web': 'prim',
    'tcp.db': 'prim',
  })
  for (let n = 0; n < 300; n++) {
    world.say('tcp.web', n % 2 === 0 ? 'down' : 'up')
    world.pass(100)
  }
  t.deepEqual(world.orders, [])
  t.is(world.notes.filter((note) => note === 'resourceFlaps').length, 1)
  t.true((world.state.local.get('tcp.web')?.history.length ?? 0) <= 50)
  world.say('tcp.db', 'down')
  world.pass(500)
  t.deepEqual(world.orders, ['t_db: stopstart'])
})

test('data that becomes old and current with each change of role does not flap, and data that does so within one role does', (t) => {
  const world = new World('old: if (rfs.uptodate == down) then stopstart();')
  const say = (value: ResourceValue): void => world.say('rfs.uptodate', value, 'module')
  world.is('STOP', 'NotReady')
  say('init')
  world.is('WAIT', 'Transient')
  say('up')
  // Start, swap, swap: a secondary that copies has no current data until it is done.
  for (const role of ['SECOND', 'PRIM', 'SECOND'] as const) {
    world.is(role, 'Transient')
    if (role === 'SECOND') say('down')
    world.pass(2_000)
    say('up')
    world.is(role)
  }
  t.false(world.notes.includes('resourceFlaps'))
  t.deepEqual(world.orders, [])
  for (const value of ['down', 'up', 'down'] as const) say(value)
  t.is(world.notes.at(-1), 'resourceFlaps')
})

test('a checker is watched in its phase only, and what it says too late is ignored', (t) => {
  const world = new World('', {
    'a.pre': 'pre',
    'b.prim': 'prim',
    'c.second': 'second',
    'd.both': 'both',
  })
  const inState = (role: RoleName, sub: SubState): string => {
    world.is(role, sub)
    return [...world.watched].sort().join(' ')
  }
  t.is(inState('STOP', 'NotReady'), '')
  t.is(inState('WAIT', 'Transient'), 'a.pre')
  t.is(inState('ALONE', 'Transient'), 'a.pre')
  t.is(inState('ALONE', 'Ready'), 'a.pre b.prim d.both')
  world.say('b.prim', 'up')
  t.is(inState('PRIM', 'Ready'), 'a.pre b.prim d.both')
  t.is(world.value('b.prim'), 'up')
  t.is(inState('WAIT', 'Transient'), 'a.pre')
  world.say('b.prim', 'down')
  t.is(world.value('b.prim'), 'init')
  t.is(inState('SECOND', 'Ready'), 'a.pre c.second d.both')
  t.is(inState('STOP', 'NotReady'), '')
})

test('a module that starts waits for the first look of what can tell it to wait, and then goes on at once', (t) => {
  const world = new World(gateway, { 'ping.gw': 'pre' })
  world.is('WAIT', 'Transient')
  t.deepEqual(world.orders, ['p_gw: wait'])
  t.regex(world.why('p_gw'), /waits for the first look/)
  world.pass(3_000)
  world.say('ping.gw', 'up')
  t.deepEqual(world.orders, ['p_gw: wait', 'Implicit_wakeup: wakeup'])
})

test('a rule over resources that nobody watches keeps no module waiting', (t) => {
  const world = new World('x: if (ping.nobody == down) then wait();')
  world.is('WAIT', 'Transient')
  world.pass(60_000)
  t.deepEqual(world.orders, [])
  t.regex(world.why('x'), /nobody watches ping\.nobody/)
})

test('a rule that waits ends in wakeup when nothing asks for it any more', (t) => {
  const world = serving(gateway, { 'ping.gw': 'pre' })
  world.say('ping.gw', 'down')
  world.pass(500)
  t.deepEqual(world.orders, ['p_gw: wait'])
  world.is('WAIT', 'Transient')
  world.pass(60_000)
  t.deepEqual(world.orders, ['p_gw: wait'])
  world.say('ping.gw', 'up')
  world.pass(500)
  t.deepEqual(world.orders, ['p_gw: wait', 'Implicit_wakeup: wakeup'])
})

test('with two rules that wait, wakeup comes only after both', (t) => {
  const world = serving(`${gateway} i: if (intf.lan == down) then wait();`, {
    'ping.gw': 'pre',
    'intf.lan': 'pre',
  })
  world.say('ping.gw', 'down')
  world.say('intf.lan', 'down')
  world.pass(500)
  world.is('WAIT', 'Transient')
  world.say('ping.gw', 'up')
  world.pass(60_000)
  t.false(world.orders.includes('Implicit_wakeup: wakeup'))
  world.say('intf.lan', 'up')
  world.pass(500)
  t.is(world.orders.at(-1), 'Implicit_wakeup: wakeup')
})

test('of two rules that are due the stronger one acts, and only that', (t) => {
  const world = serving(`${web} s: if (tcp.web == down) then stop();`)
  world.say('tcp.web', 'down')
  world.pass(500)
  t.deepEqual(world.orders, ['s: stop'])
})

test('while an order is not answered no other one is given', (t) => {
  const world = serving(`${web} t_db: if (tcp.db == down) then stopstart();`, {
    'tcp.web': 'prim',
    'tcp.db': 'prim',
  })
  world.answers = false
  world.say('tcp.web', 'down')
  world.pass(500)
  world.say('tcp.db', 'down')
  world.pass(60_000)
  t.deepEqual(world.orders, ['t_web: restart'])
  t.regex(world.why('t_web'), /not answered yet/)
})

test('an order that was refused is given again only after fifteen seconds', (t) => {
  const world = serving()
  world.answers = false
  world.say('tcp.web', 'down')
  world.pass(500)
  const verdict = { ok: false, code: 'E_TEST', reason: 'not now' } as const
  world.post({ kind: 'answered', label: 't_web', verdict })
  t.regex(world.why('t_web'), /refused .* not now/)
  world.pass(14_900)
  t.is(world.orders.length, 1)
  world.pass(200)
  t.is(world.orders.length, 2)
})

test('a wakeup that was refused is given again, so that nobody waits for ever', (t) => {
  const world = serving(gateway, { 'ping.gw': 'pre' })
  world.say('ping.gw', 'down')
  world.pass(500)
  world.is('WAIT', 'Transient')
  world.answers = false
  world.say('ping.gw', 'up')
  world.pass(500)
  const verdict = { ok: false, code: 'E_TEST', reason: 'not now' } as const
  world.post({ kind: 'answered', label: 'Implicit_wakeup', verdict })
  world.pass(14_999)
  t.is(world.orders.length, 2)
  world.pass(1)
  t.deepEqual(world.orders.slice(1), ['Implicit_wakeup: wakeup', 'Implicit_wakeup: wakeup'])
})

test('a first look that could not be waited for is not asked for again and again', (t) => {
  const world = new World(gateway, { 'ping.gw': 'pre' })
  world.answers = false
  world.is('WAIT', 'Transient')
  const verdict = { ok: false, code: 'E_TEST', reason: 'not now' } as const
  world.post({ kind: 'answered', label: 'p_gw', verdict })
  world.pass(14_999)
  t.deepEqual(world.orders, ['p_gw: wait'])
  world.pass(1)
  t.is(world.orders.length, 2)
})

test('what stays wrong after a new start is acted upon again, so that maxloop can end it', (t) => {
  const world = serving('p: if (ping.gw == down) then stopstart();', { 'ping.gw': 'pre' })
  world.say('ping.gw', 'down')
  world.pass(500)
  for (let n = 0; n < 3; n++) {
    world.is('WAIT', 'Transient')
    world.pass(2_000)
    world.is('ALONE')
    world.pass(30_000)
  }
  t.deepEqual(
    world.orders,
    Array.from({ length: 4 }, () => 'p: stopstart').concat(world.orders.slice(4)),
  )
  t.true(world.orders.length <= 7)
})

test('an action that means nothing here is not ordered, and the explanation says so', (t) => {
  const world = new World(`x: if (custom.x == down) then swap();`)
  world.is('ALONE')
  world.say('custom.x', 'up', 'me')
  world.say('custom.x', 'down', 'me')
  world.pass(60_000)
  t.deepEqual(world.orders, [])
  t.regex(world.why('x'), /ALONE \(Ready\) can't be swapped/)
})

test('checkers that are switched off look at nothing, and whoever waited because of them goes on', (t) => {
  const world = serving(gateway, { 'ping.gw': 'pre' })
  world.say('ping.gw', 'down')
  world.pass(500)
  world.is('WAIT', 'Transient')
  world.post({ kind: 'switched', enabled: false })
  t.deepEqual(world.orders, ['p_gw: wait', 'Implicit_wakeup: wakeup'])
  t.is(world.watched.size, 0)
  t.is(world.value('ping.gw'), 'init')
})

test('after a restart of the daemon values are believed until the next look, and no order is repeated', (t) => {
  const before = serving()
  const world = new World(
    web,
    { 'tcp.web': 'prim' },
    { ...nothingKnown, local: before.state.local },
  )
  world.is('STOP', 'NotReady')
  world.is('PRIM')
  t.is(world.value('tcp.web'), 'up')
  t.deepEqual([...world.watched], ['tcp.web'])
  world.say('tcp.web', 'down')
  world.pass(500)
  t.deepEqual(world.orders, ['t_web: restart'])
})

test('what a daemon before saw of a checker that is not watched any more asks nobody to wait', (t) => {
  const rule = 'f_web: if (tcp.web == down) then wait();'
  const before = new World(rule, { 'tcp.web': 'both' })
  before.is('SECOND')
  before.say('tcp.web', 'down')
  const kept = { local: before.state.local, held: { by: 'rule', label: 'f_web' } as const }
  const world = new World(rule, { 'tcp.web': 'both' }, { ...nothingKnown, ...kept })
  world.is('WAIT', 'NotReady')
  t.is(world.value('tcp.web'), 'init')
  world.pass(60_000)
  t.deepEqual(world.orders, ['Implicit_wakeup: wakeup'])
})

test('who is stopped by the operator does nothing and starts anew', (t) => {
  const world = serving()
  world.say('tcp.web', 'down')
  world.is('STOP', 'NotReady')
  world.pass(60_000)
  t.deepEqual(world.orders, [])
  t.regex(world.why('t_web'), /stopped/)
})

test('values of the other node count as remote, and as unknown when it is silent', (t) => {
  const world = serving('m: if (ping.gw == down && remote.ping.gw == up) then wait();', {
    'ping.gw': 'pre',
  })
  world.post({ kind: 'remoteTold', values: new Map([['ping.gw', 'up']]) })
  world.say('ping.gw', 'down')
  world.post({ kind: 'remoteLost' })
  world.pass(60_000)
  t.deepEqual(world.orders, [])
  world.post({ kind: 'remoteTold', values: new Map([['ping.gw', 'up']]) })
  world.pass(15_000)
  t.deepEqual(world.orders, ['m: wait'])
})

test('two rules that contradict each other keep nobody busy', (t) => {
  const world = serving(`a: if (custom.x == up) then custom.x = down;
    b: if (custom.x == down) then custom.x = up;`)
  world.say('custom.x', 'up', 'me')
  world.pass(60_000)
  const { length } = world.notes.filter((note) => note === 'ruleFired')
  t.true(length > 1 && length < 20, `${String(length)} times`)
})

test('a custom resource that a rule sets is looked at by the other rules', (t) => {
  const world = serving(`a: if (tcp.web == down) then custom.bad = up;
    b: if (custom.bad == up) then stop();`)
  world.say('tcp.web', 'down')
  world.pass(500)
  t.is(world.value('custom.bad'), 'up')
  world.pass(510)
  t.deepEqual(world.orders, ['b: stop'])
})
