/** The driver with checkers that misbehave, with programs that tell values, and over a restart of the daemon. */
import test from 'ava'
import { parseValues } from './neighbour.js'
import { given, Hand, type World } from './world.fixture.js'

const web = 't_web: if (tcp.web == down) then restart();'

test('a module that serves is restarted when its checker says down, with identity and cause', async (t) => {
  const checker = new Hand()
  const { module, time } = await given(web, { 'tcp.web': checker })
  module.is('ALONE')
  await time.pass(0)
  checker.report?.('up', 'connected')
  await time.pass(10_000)
  checker.report?.('down', 'connection refused')
  await time.pass(1_000)
  t.deepEqual(module.orders, ['restart by t_web: rule t_web: tcp.web is down (connection refused)'])
})

test('a checker that hangs, one that throws and one that refuses are unknown with their reason, and the others go on', async (t) => {
  const good = new Hand()
  const world = await given(web, {
    'a.hangs': new Hand('hangs'),
    'a.refuses': new Hand('refuses'),
    'a.throws': new Hand('throws'),
    'tcp.web': good,
  })
  world.module.is('ALONE')
  await world.time.pass(10_100)
  const causes = ['a.hangs', 'a.refuses', 'a.throws'].map((name) => {
    const resource = world.driver.state().local.get(name)
    return `${resource?.value ?? ''} ${resource?.cause ?? ''}`
  })
  t.regex(causes[0] ?? '', /^unknown .*no answer within 10 s/)
  t.regex(causes[1] ?? '', /^unknown .*no such target/)
  t.regex(causes[2] ?? '', /^unknown .*it broke/)
  good.report?.('up', '')
  await time10(world)
  good.report?.('down', '')
  await world.time.pass(1_000)
  t.is(world.module.orders.length, 1)
  for (const name of ['a.hangs', 'a.refuses', 'a.throws']) {
    t.true(world.logged.some((line) => line.startsWith(`checkerRefused ${name}`)))
  }
})

async function time10(world: World): Promise<void> {
  await world.time.pass(10_000)
}

test('a checker that refused tries again while it is wanted, and not afterwards', async (t) => {
  const checker = new Hand('refuses')
  const { module, time } = await given('', { 'a.x': checker })
  module.is('ALONE')
  await time.pass(61_000)
  t.is(checker.starts, 3)
  module.is('STOP', 'NotReady')
  await time.pass(120_000)
  t.is(checker.starts, 3)
})

test('of a flood only the last value of each moment counts, the flood is named, and nothing else waits', async (t) => {
  const flood = new Hand()
  const good = new Hand()
  const world = await given(web, { 'a.flood': flood, 'tcp.web': good })
  world.module.is('ALONE')
  await world.time.pass(0)
  for (let n = 0; n < 200_000; n++) flood.report?.(n % 2 === 0 ? 'up' : 'down', `look ${String(n)}`)
  good.report?.('up', '')
  await world.time.pass(10_000)
  t.true((world.driver.state().local.get('a.flood')?.history.length ?? 0) <= 4)
  t.is(world.logged.filter((line) => line.startsWith('checkerFloods a.flood')).length, 1)
  t.is(world.value('tcp.web'), 'up')
})

test('a checker that says nothing is unknown after a minute, and named', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  world.module.is('ALONE')
  await world.time.pass(59_000)
  t.is(world.value('tcp.web'), 'init')
  await world.time.pass(2_000)
  t.is(world.value('tcp.web'), 'unknown')
  t.true(world.logged.some((line) => line.startsWith('checkerSilent tcp.web')))
  checker.report?.('up', '')
  await world.time.pass(100)
  t.is(world.value('tcp.web'), 'up')
})

test('what a checker reports after its end, or what is no value, is not believed', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  world.module.is('ALONE')
  await world.time.pass(0)
  checker.report?.('perhaps' as 'up', '') // What a plugin in JavaScript can do.
  await world.time.pass(100)
  t.is(world.value('tcp.web'), 'unknown')
  const late = checker.report
  world.module.is('WAIT', 'Transient')
  await world.time.pass(0)
  late?.('down', 'too late')
  await world.time.pass(60_000)
  t.is(world.value('tcp.web'), 'init')
  t.is(checker.stops, 1)
})

test('a restarted daemon knows the values, their age and their history', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  world.module.is('ALONE')
  await world.time.pass(0)
  checker.report?.('up', 'connected')
  await world.time.pass(5_000)
  const before = world.driver.state().local.get('tcp.web')
  await world.restartDaemon()
  t.deepEqual(world.driver.state().local.get('tcp.web'), before)
  t.is(checker.starts, 2)
  t.deepEqual(world.module.orders, [])
})

test('more checkers than the maximum are not watched, and the log says so', async (t) => {
  const checkers = Array.from({ length: 300 }, (_, n) => [`a.n${String(n)}`, new Hand()] as const)
  const world = await given('', Object.fromEntries(checkers))
  world.module.is('ALONE')
  await world.time.pass(30_000)
  t.is(checkers.filter(([, { starts }]) => starts > 0).length, 256)
  t.true(world.logged.some((line) => line.startsWith('checkersTooMany')))
})

test('what is kept for the next daemon has a maximum, however many resources there are', async (t) => {
  const checkers = Array.from({ length: 256 }, (_, n): [string, Hand] => [
    `a.n${String(n)}`,
    new Hand(),
  ])
  const world = await given('', Object.fromEntries(checkers))
  world.module.is('ALONE')
  await world.time.pass(0)
  for (let n = 0; n < 20; n++) {
    for (const [, checker] of checkers)
      checker.report?.(n % 2 === 0 ? 'up' : 'down', 'ü'.repeat(9_999))
    await world.time.pass(1_000)
  }
  const kept = await world.store.volatile.read<object>('resources')
  t.true(Buffer.byteLength(JSON.stringify(kept)) < 1024 * 1024)
})

test('checkers that were switched off stay off over a restart of the daemon', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  world.module.is('ALONE')
  await world.time.pass(0)
  await world.run('checker off')
  await world.time.pass(0)
  t.is(checker.stops, 1)
  await world.restartDaemon()
  t.is(checker.starts, 1)
  t.regex((await world.run('resource list')).join('\n'), /switched off/)
  await world.run('checker on')
  await world.time.pass(0)
  t.is(checker.starts, 2)
})

test('a checker that is configured anew is ended before its plugin may go, and the new one begins', async (t) => {
  const [old, young] = [new Hand(), new Hand()]
  const world = await given(web, { 'tcp.web': old, 'tcp.same': new Hand() })
  world.module.is('ALONE')
  await world.time.pass(0)
  world.checkers.set('tcp.web', young)
  await world.changeCheckers()
  t.is(old.stops, 1)
  await world.time.pass(0)
  t.is(young.starts, 1)
  world.checkers.delete('tcp.web')
  await world.changeCheckers()
  await world.time.pass(0)
  t.is(young.stops, 1)
  t.false([...world.driver.state().watching].includes('tcp.web'))
})

test('programs set custom resources, and nobody sets what somebody else watches', async (t) => {
  const quiet = new Hand()
  quiet.when = 'pre'
  const world = await given('c: if (custom.queue == down) then restart();', {
    'custom.y': quiet,
    'tcp.web': new Hand(),
  })
  world.module.is('ALONE')
  await world.time.pass(0)
  await world.run('resource set', { name: 'custom.queue', value: 'up', by: 'probe' })
  await world.run('resource set', { name: 'custom.y', value: 'up', by: 'probe' })
  const kept = await world.store.volatile.read<{ local: { name: string }[] }>('resources')
  t.true(
    kept?.local.some(({ name }) => name === 'custom.y'),
    'what was answered was not kept',
  )
  await world.time.pass(120_000)
  t.is(world.value('custom.y'), 'up')
  await world.run('resource set', {
    name: 'custom.queue',
    value: 'down',
    by: 'probe',
    cause: 'full',
  })
  await world.time.pass(1_000)
  t.deepEqual(world.module.orders, ['restart by c: rule c: custom.queue is down (full)'])
  t.regex(
    (await world.run('resource history', { name: 'custom.queue' })).join('\n'),
    /up: set by probe\n.*down: full/,
  )
  const denied = await t.throwsAsync(
    world.run('resource set', { name: 'tcp.web', value: 'up', by: 'me' }),
  )
  t.regex(denied.message, /allowed: custom\.queue, custom\.y/)
})

test('explain tells each rule, what it looks at, and what would follow', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  world.module.is('ALONE')
  await world.time.pass(0)
  const explain = async (): Promise<string> => (await world.run('failover explain')).join('\n')
  t.regex(await explain(), /t_web.*\n.*tcp\.web was not looked at yet/)
  checker.report?.('up', 'connected')
  await world.time.pass(30_000)
  t.regex(
    await explain(),
    /false; if it becomes true, restart\(\) follows when it stayed true for 0\.5s\n.*tcp\.web = up for 30s: connected/,
  )
  checker.report?.('down', 'refused')
  await world.time.pass(300)
  t.regex(
    await explain(),
    /true for 0\.3s.*restart\(\) follows in 0\.2s\n.*tcp\.web = down for 0\.3s: refused/,
  )
  await world.time.pass(300)
  t.regex(await explain(), /restart\(\) was ordered 0\.1s ago/)
  t.regex(await explain(), /module_failure.*\[default\]\n.*no resource of this class/)
})

test('explain tells what rules did, when and why, also after a stop and to the next daemon', async (t) => {
  const checker = new Hand()
  const world = await given(web, { 'tcp.web': checker })
  const explain = async (): Promise<string> => (await world.run('failover explain')).join('\n')
  t.regex(await explain(), /^The module is STOP \(NotReady\): test\n[^]*No rule has acted/)
  await world.run('checker off')
  t.regex(await explain(), /^.*\nCheckers are switched off/)
  await world.run('checker on')
  world.module.is('ALONE')
  await world.time.pass(0)
  checker.report?.('up', 'connected')
  await world.time.pass(10_000)
  checker.report?.('down', 'refused')
  await world.time.pass(1_000)
  world.module.is('STOP', 'NotReady')
  await world.restartDaemon()
  await world.time.pass(60_000)
  t.regex(
    await explain(),
    /What rules did.*\n  2023-11-14T22:13:30\.520Z, 1m[ 0-9s]* ago: restart\(\), because: rule t_web: tcp\.web is down \(refused\)$/,
  )
})

test('what another version tells of itself is taken as far as it is understood', (t) => {
  t.is(parseValues('nothing'), undefined)
  t.is(parseValues({ values: 3 }), undefined)
  const told = parseValues({
    values: [['a.x', 'up'], ['a.y', 'purple'], [1, 'up'], 'x', ['a.z', 'down']],
  })
  t.deepEqual(
    [...(told ?? [])],
    [
      ['a.x', 'up'],
      ['a.z', 'down'],
    ],
  )
})
