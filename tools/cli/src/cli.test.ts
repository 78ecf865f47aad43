/** The program as people and scripts use it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeNode, moduleStateOf, until } from '@holdfast/plugin-api/testing'
import ava from 'ava'
import { holdfast, nodes, pair, program, run } from './cli.fixture.js'

// One after the other: each starts programs, and all of them at once make each other late.
const test = ava.serial

/** An order leads through the states, as in a real module: after it was accepted. */
function lead(node: FakeNode, ...states: readonly ReturnType<typeof moduleStateOf>[]): void {
  node.control.onCommand = (name) => {
    states.forEach((state, index) =>
      setTimeout(
        () => {
          node.control.become(name, state)
        },
        50 * (index + 1),
      ),
    )
  }
}

test('without a daemon each command says so, what to do, and ends with 3', async (t) => {
  const { code, out, err } = await holdfast({ socket: '/nowhere/api.sock' }, 'state')
  t.is(code, 3)
  t.is(out, '')
  t.is(
    err,
    'holdfast: holdfastd is not running  [E_CLI_NO_DAEMON]\n  next: systemctl start holdfastd\n',
  )
})

test('wrong usage ends with 2 and names the help', async (t) => {
  const socket = '/nowhere/api.sock'
  const cases = [
    ['dance'],
    ['prim', '--x'],
    ['waitstate'],
    ['waitstate', 'DANCE'],
    ['prim', 'halfsync'],
    ['stop', '--timeout', 'soon'],
    ['cluster', 'init'],
    ['log', '-s', '-1'],
    ['start', 'a', 'b'],
    ['cluster', 'invite', 'n2', '--ttl', '1s'],
    ['cluster', 'invite', 'N 3'],
    ['module', 'install', '../sources'],
  ]
  for (const words of cases) {
    const { code, err } = await holdfast({ socket }, ...words)
    t.is(code, 2, words.join(' '))
    t.regex(err, /\n {2}(see|next): /, words.join(' '))
  }
})

test('who names a module without -m is told of it', async (t) => {
  const { code, err } = await holdfast({ socket: '/nowhere/api.sock' }, 'stop', 'web')
  t.is(code, 2)
  t.regex(err, /named with -m MODULE/)
})

test('every command has a help with an example', async (t) => {
  const { out } = await holdfast({ socket: '' }, '--help')
  const names = [...out.matchAll(/^ {2}([a-z]+) .*$/gm)].map((match) => match[1] ?? '')
  t.true(names.includes('primforce') && names.includes('waitstate'))
  for (const name of names) {
    const help = await holdfast({ socket: '' }, name, '--help')
    t.is(help.code, 0)
    t.regex(help.out, new RegExp(`Examples:\\n.*holdfast ${name}`), name)
  }
})

test('an order is followed until the state is stable, with each change and its cause', async (t) => {
  const [n1] = await pair(t)
  lead(
    n1,
    moduleStateOf('WAIT', 'Transient', { cause: 'prim was asked' }),
    moduleStateOf('ALONE', 'Ready', { cause: 'scripts finished', detail: 'uptodate' }),
  )
  const { code, out } = await holdfast(n1, 'prim', 'fullsync', '-i', 'cron', '--cause', 'night')
  t.is(code, 0)
  t.regex(
    out,
    /WAIT ↻ Transient +prim was asked\n.*ALONE ✓ Ready +uptodate · scripts finished\nweb {2}done {2}prim: ALONE/,
  )
  const options = { fullsync: true, identity: 'cron', cause: 'night' }
  t.deepEqual(n1.control.told[0]?.request, { name: 'web', command: 'prim', options })
})

test('an order that leads elsewhere ends with 1, its cause and the next step', async (t) => {
  const [n1] = await pair(t)
  lead(
    n1,
    moduleStateOf('WAIT', 'NotReady', { cause: 'data is stale', hint: 'holdfast primforce' }),
  )
  const { code, out } = await holdfast(n1, 'prim')
  t.is(code, 1)
  t.regex(out, /failed {2}prim led to WAIT ○ NotReady: data is stale\n {2}next: holdfast primforce/)
})

test('an order that takes longer than its time-out ends with 1, and --no-wait returns at once', async (t) => {
  const [n1] = await pair(t)
  lead(n1, moduleStateOf('WAIT', 'Transient'))
  const late = await holdfast(n1, 'start', '--timeout', '300ms')
  t.deepEqual([late.code, late.out.includes('not finished')], [1, true])
  const early = await holdfast(n1, 'stop', '--no-wait')
  t.deepEqual([early.code, early.out], [0, 'web  accepted  stop\n'])
})

test('a refused order ends with 1 and shows code and next step', async (t) => {
  const [n1] = await pair(t)
  const { code, err } = await holdfast(n1, 'swap')
  t.is(code, 1)
  t.is(
    err,
    'holdfast: swap needs a PRIM and a SECOND  [E_MIRROR_STATE]\n  next: holdfast state shows where they are\n',
  )
})

test('a distributed order has one result line a node, and fails when one node fails', async (t) => {
  const [n1, n2] = await pair(t)
  for (const node of [n1, n2])
    lead(node, moduleStateOf('WAIT', 'NotReady', { cause: 'first start' }))
  const good = await holdfast(n1, 'start', '-H', '*')
  t.is(good.code, 0)
  t.regex(good.out, /^n1 {2}done {2}start/m)
  t.regex(good.out, /^n2 {2}done {2}start/m)
  n2.connected = false
  const bad = await holdfast(n1, 'start', '--no-wait', '-H', 'n1,n2')
  t.is(bad.code, 1)
  t.regex(bad.out, /^n1 {2}accepted/m)
  t.regex(bad.out, /^n2 {2}failed {2}node n2 is not connected {2}\[E_API_NODE_UNREACHABLE\]/m)
})

test('the module comes from -m, from the environment, or is the only one', async (t) => {
  const [n1] = await pair(t)
  n1.control.addModule('db', moduleStateOf('STOP', 'NotReady'))
  const unclear = await holdfast(n1, 'stop', '--no-wait')
  t.is(unclear.code, 2)
  t.regex(unclear.err, /which module\? There are web, db/)
  const environment = { SAFEMODULE: 'db' }
  t.is((await holdfast({ ...n1, environment }, 'stop', '--no-wait')).out, 'db  accepted  stop\n')
  t.is((await holdfast({ ...n1, environment }, 'stop', '--no-wait', '-m', 'web')).code, 0)
  t.is((await holdfast(n1, 'stop', '-m', 'nobody')).code, 1)
})

test('state -q answers with the numbers that scripts know, and failures never look like a state', async (t) => {
  const [n1] = await pair(t)
  const numbers = { STOP: 0, WAIT: 1, ALONE: 2, UP: 2, PRIM: 3, SECOND: 4 } as const
  for (const [role, number] of Object.entries(numbers)) {
    n1.control.become('web', moduleStateOf(role as keyof typeof numbers, 'Ready')) // Its own keys.
    const { code, out } = await holdfast(n1, 'state', '-m', 'web', '-q')
    t.deepEqual([code, out], [number, ''], role)
  }
  t.is((await holdfast(n1, 'state', '-m', 'nobody', '-q')).code, 11)
  t.is((await holdfast({ socket: '/nowhere' }, 'state', '-m', 'web', '-q')).code, 13)
})

test('state shows all nodes, also the one that does not answer, and colours only for a terminal', async (t) => {
  const [n1, n2] = await pair(t)
  const progress = {
    phase: 'copy',
    filesDone: 1,
    filesTotal: 2,
    bytesDone: 512,
    bytesTotal: 1024,
    bytesPerSecond: 256,
    etaSeconds: 2,
  } as const
  n1.control.become('web', moduleStateOf('PRIM', 'Ready', { cause: 'peer is second' }))
  n2.control.become('web', moduleStateOf('SECOND', 'Transient', { cause: 'copying', progress }))
  const { code, out } = await holdfast(n1, 'state')
  t.is(code, 0)
  t.regex(out, /^web +n1 +PRIM ✓ Ready +\d+s +peer is second$/m)
  t.regex(out, /^ +n2 +SECOND ↻ Transient +\d+s +copying$/m)
  t.regex(out, /copy 50% · 512 B of 1\.0 KiB · 1\/2 files · 256 B\/s · 2s left/)
  t.false(out.includes('\u001b'))
  n2.connected = false
  t.regex((await holdfast(n1, 'state')).out, /^ +n2 +UNKNOWN +node n2 is not connected$/m)
  t.notRegex((await holdfast(n1, 'state', '-H', 'n1')).out, /n2 +UNKNOWN/)
  const stranger = await holdfast(n1, 'state', '-H', 'n3')
  t.not(stranger.code, 0)
  t.regex(stranger.err, /n3 is no node of this cluster/)
  const json = JSON.parse((await holdfast(n1, 'state', '--json')).out) as {
    readonly nodes: readonly { readonly node: string; readonly error?: { readonly code: string } }[]
  }
  t.deepEqual(
    json.nodes.map(({ error }) => error?.code),
    [undefined, 'E_API_NODE_UNREACHABLE'],
  )
})

test('waitstate returns when the state is there, and with 1 when it does not come', async (t) => {
  const [n1, n2] = await pair(t)
  const waiting = holdfast(n1, 'waitstate', 'prim,ALONE', '--timeout', '10s')
  await until(() => n1.control.watchers === 1)
  n1.control.become('web', moduleStateOf('ALONE', 'Transient'))
  n1.control.become('web', moduleStateOf('ALONE', 'Ready'))
  t.deepEqual(await waiting, { code: 0, out: 'web  ALONE ✓ Ready\n', err: '' })
  n2.control.become('web', moduleStateOf('SECOND', 'Ready'))
  t.is((await holdfast(n1, 'waitstate', 'SECOND', '-H', 'n2')).code, 0)
  const late = await holdfast(n1, 'waitstate', 'STOP', '--timeout', '200ms')
  t.is(late.code, 1)
  t.regex(late.err, /not STOP, still ALONE ✓ Ready: a test says so/)
})

test('log shows the newest entries, follows without a gap, and lets no entry move the cursor', async (t) => {
  const [n1, n2] = await pair(t)
  n1.control.append('event', 'said', 'web', 'one')
  n1.control.append('debug', 'said', 'web', 'hidden')
  n1.control.append('critical', 'said', 'web', 'two\u001b[2J\nthree')
  n2.control.append('event', 'said', undefined, 'elsewhere')
  const { out } = await holdfast(n1, 'log', '-m', 'web')
  t.regex(out, /^\d{4}-\d\d-\d\d [\d:.]{12} E one\n.* C two \[2J three\n$/)
  t.regex((await holdfast(n1, 'log', '-v')).out, / D web +hidden {2}said\n/)
  t.regex((await holdfast(n1, 'log', '-H', 'n2')).out, /elsewhere/)
  const following = holdfast(
    { ...n1, until: (text) => text.includes('live') },
    'log',
    '-f',
    '-s',
    '1',
    '--json',
  )
  await until(() => n1.control.watchers === 1)
  n1.control.append('event', 'said', 'web', 'live')
  const lines = (await following).out.trim().split('\n')
  const sequences = lines.map(
    (line) => (JSON.parse(line) as { readonly sequence: number }).sequence,
  )
  t.deepEqual(sequences, [3, 4])
})

test('modules are installed, configured, checked and removed', async (t) => {
  const [n1] = await nodes(t, 'n1')
  if (n1 === undefined) throw new Error('no node')
  t.regex((await holdfast(n1, 'state')).out, /No module is installed/)
  const installed = await holdfast(n1, 'module', 'install', 'web', './sources')
  t.is(installed.code, 0)
  const request = { name: 'web', path: join(process.cwd(), 'sources') }
  t.deepEqual(n1.control.told[0]?.request, request)
  t.regex((await holdfast(n1, 'state')).out, /NOT CONFIGURED +next: holdfast module config web/)
  t.is((await holdfast(n1, 'module', 'check', 'web')).code, 1)
  const configured = await holdfast(n1, 'module', 'config')
  t.is(configured.out, 'web  configured on n1\n')
  t.is(configured.err, 'warning: conf/userconfig.xml:3:5: no virtual IP\n')
  t.is((await holdfast(n1, 'module', 'check', 'web')).out, 'n1  good\n')
  t.is((await holdfast(n1, 'module', 'list', '-q')).out, 'web\n')
  t.is((await holdfast(n1, 'module', 'uninstall', 'web')).code, 0)
  t.is((await holdfast(n1, 'module', 'config', 'web')).code, 1)
  t.regex(
    (await holdfast(n1, 'module', 'install', 'nosuch')).err,
    /no module "nosuch" is delivered/,
  )
  const lost = await holdfast(n1, 'plugin', 'install', '/nowhere/x.hfp')
  t.regex(lost.err, /\/nowhere\/x\.hfp can't be read: it is not on this node/)
})

test('a cluster is formed from a file or from addresses, and a token travels by standard input', async (t) => {
  const [n1] = await pair(t)
  const directory = await mkdtemp(join(tmpdir(), 'hfcli-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const file = join(directory, 'cluster.xml')
  await writeFile(file, '<cluster/>')
  const formed = await holdfast(n1, 'cluster', 'init', '--node', 'n1', file)
  t.regex(formed.out, /next: holdfast cluster invite n2, then on n2: holdfast cluster join/)
  await holdfast(n1, 'cluster', 'init', '--node', 'n1', '--lan', 'default=n1:10.0.0.1,n2:fd00::2')
  const requests = n1.control.told.map(({ request }) => request as { readonly xml: string })
  t.is(requests[0]?.xml, '<cluster/>')
  t.regex(
    requests[1]?.xml ?? '',
    /<lan name="default">\n +<node name="n1" addr="10.0.0.1"\/>\n +<node name="n2" addr="fd00::2"\/>/,
  )
  const invited = await holdfast(n1, 'cluster', 'invite', 'n2', '--ttl', '1h')
  t.is(invited.out, 'HF1-abc\n')
  const joined = await holdfast({ ...n1, input: 'HF1-new\n' }, 'cluster', 'join')
  t.is(joined.code, 0)
  t.deepEqual(n1.control.told.at(-1)?.request, { token: 'HF1-new' })
  const environment = { HOLDFAST_TOKEN: 'HF1-old' }
  const expired = await holdfast({ ...n1, environment }, 'cluster', 'join')
  t.deepEqual([expired.code, expired.err.includes('the token has expired')], [1, true])
  t.is((await holdfast(n1, 'cluster', 'join')).code, 2)
  t.regex((await holdfast(n1, 'cluster', 'join', 'HF1-x')).err, /other users .* can see a token/)
  t.is((await holdfast(n1, 'cluster', 'config', join(directory, 'none'))).code, 1)
  const removed = await holdfast(n1, 'cluster', 'remove', 'n2')
  t.deepEqual([removed.out, removed.err], ['n2 is removed: revision 1 for n1, n2\n', ''])
  t.deepEqual(n1.control.told.at(-1)?.request, { node: 'n2' })
  t.regex((await holdfast(n1, 'cluster', 'remove', 'n9')).err, /n9 was not reached/)
  t.regex(
    (await holdfast(n1, 'cluster', 'state')).out,
    /^n2 +connected +0\.1\.0 +default +10\.0\.0\.1 +up, heard 120ms ago$/m,
  )
})

test('the completion script loads in bash and offers commands, options, modules, nodes and states', async (t) => {
  const [n1] = await pair(t)
  const directory = await mkdtemp(join(tmpdir(), 'hfcli-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const script = join(directory, 'completion.bash')
  await writeFile(script, (await holdfast(n1, 'completion', 'bash')).out)
  const offered = async (...words: readonly string[]) => {
    const typed = ['holdfast', ...words].map((word) => `'${word}'`).join(' ')
    const source = `set -eu
      holdfast() { "${process.execPath}" "${program}" "$@"; }
      source "${script}"
      COMP_WORDS=(${typed}); COMP_CWORD=${String(words.length)}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { out, err, code } = await run('bash', ['--norc', '-c', source], n1)
    t.is(code, 0, err)
    return out.trim().split('\n')
  }
  t.deepEqual(await offered('pri'), ['prim', 'primforce'])
  t.deepEqual(await offered('module', 'un'), ['uninstall'])
  t.deepEqual(await offered('prim', '-m', ''), ['web'])
  t.deepEqual(await offered('stop', '-H', 'n'), ['n1', 'n2'])
  t.deepEqual(await offered('waitstate', 'S'), ['STOP', 'SECOND'])
  t.deepEqual(await offered('prim', 'full'), ['fullsync'])
  t.deepEqual(await offered('log', '--fo'), ['--follow'])
  t.deepEqual(await offered('module', 'config', 'w'), ['web'])
})
