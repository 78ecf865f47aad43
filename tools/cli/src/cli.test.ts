import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FakeNode, moduleStateOf, startFakeNodes, until } from '@holdfast/plugin-api/testing'
import test, { type ExecutionContext } from 'ava'

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const program = fileURLToPath(new URL('main.js', import.meta.url))

interface Setting {
  readonly socket: string
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
  /** End it when its output says so. */
  readonly until?: (out: string) => boolean
}

function holdfast(setting: Setting, ...words: readonly string[]): Promise<Ended> {
  return run(process.execPath, [program, ...words], setting)
}

function run(command: string, words: readonly string[], setting: Setting): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { PATH = '' } = process.env
    const env = { PATH, HOLDFAST_SOCKET: setting.socket, ...setting.environment }
    const child = spawn(command, words, { env, timeout: 20_000 })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk
      if (setting.until?.(out) === true) child.kill()
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, out, err })
    })
    // A command that does not read its input may have ended before it is written.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error)
    })
    child.stdin.end(setting.input ?? '')
  })
}

async function nodes(
  t: ExecutionContext,
  ...names: readonly string[]
): Promise<readonly FakeNode[]> {
  const started = await startFakeNodes(names)
  t.teardown(started.stop)
  return started.nodes
}

async function pair(t: ExecutionContext): Promise<readonly [FakeNode, FakeNode]> {
  const [n1, n2] = await nodes(t, 'n1', 'n2')
  if (n1 === undefined || n2 === undefined) throw new Error('no nodes')
  for (const { control } of [n1, n2]) control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  return [n1, n2]
}

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
  ]
  for (const words of cases) {
    const { code, err } = await holdfast({ socket }, ...words)
    t.is(code, 2, words.join(' '))
    t.regex(err, /\n {2}(see|next): /, words.join(' '))
  }
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

test('a command that a plugin offers is typed like any other, with its help, on any node', async (t) => {
  const [n1, n2] = await pair(t)
  const ran: unknown[] = []
  for (const { control, name } of [n1, n2]) {
    control.commands.set('resource set', {
      summary: 'say what a resource is',
      parameters: {
        type: 'object',
        additionalProperties: false,
        required: ['resource'],
        properties: {
          resource: { type: 'string', description: 'its name' },
          value: { enum: ['up', 'down'], default: 'up', description: 'what it is' },
          seconds: { type: 'integer', description: 'how long' },
          quietly: { type: 'boolean', description: 'without log' },
        },
      },
      positional: ['resource', 'value'],
      run: (parameters) => {
        ran.push([name, parameters])
        const ok = parameters['value'] !== 'down'
        return Promise.resolve({ ok, lines: [`said\u001b[2J on ${name}`], data: { name } })
      },
    })
  }
  const words = ['resource', 'set', 'custom.x']
  const said = await holdfast(n1, ...words, 'up', '--seconds', '5', '--quietly', '-m', 'web')
  t.deepEqual([said.code, said.out], [0, 'said [2J on n1\n'])
  t.deepEqual(ran, [['n1', { resource: 'custom.x', value: 'up', seconds: 5, quietly: true }]])
  const json = await holdfast(n1, ...words, '-H', 'n2', '--json')
  t.deepEqual(JSON.parse(json.out), { n2: { name: 'n2' } })
  const both = await holdfast(n1, ...words, 'down', '-H', '*')
  t.deepEqual([both.code, both.out], [1, 'n1  said [2J on n1\nn2  said [2J on n2\n'])
  const help = await holdfast(n1, 'resource', 'set', '--help')
  t.regex(
    help.out,
    /resource \[options\] <resource> \[value\]|set \[options\] <resource> \[value\]/,
  )
  t.regex(help.out, /--seconds <NUMBER>\s+how long/)
  const list = await holdfast(n1, 'module', 'commands', 'web')
  t.regex(list.out, /resource set\s+say what a resource is/)
  const wrong = await holdfast(n1, ...words, '--seconds', 'x', '-m', 'web')
  t.is(wrong.code, 2)
})

test('a word that neither the program nor a plugin knows is a wrong usage', async (t) => {
  const [n1] = await pair(t)
  const unknown = await holdfast(n1, 'strat', '-m', 'web')
  t.is(unknown.code, 2)
  t.regex(unknown.err, /unknown command 'strat'/)
  const none = await holdfast({ socket: '/nowhere/api.sock' }, 'strat')
  t.is(none.code, 2)
  const lost = await holdfast({ socket: '/nowhere/api.sock' }, 'failover', 'explain', '-m', 'web')
  t.is(lost.code, 3)
})

test('a plugin is shown before it is installed, and only installed when somebody allows it', async (t) => {
  const [n1, n2] = await pair(t)
  const directory = await mkdtemp(join(tmpdir(), 'hfcli-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const file = join(directory, 'redis.hfp')
  await writeFile(file, 'checker-redis')
  const asked = await holdfast(n1, 'plugin', 'install', file)
  t.is(asked.code, 2)
  t.regex(
    asked.out,
    /checker-redis 1\.0\.0 {2}signed by acme\n.*<check><redis>\n.*may +net\.connect/s,
  )
  t.deepEqual(n1.control.told, [])
  const done = await holdfast(n1, 'plugin', 'install', file, '--yes', '-H', '*')
  t.regex(done.out, /n1 {2}plugin checker-redis 1\.0\.0 is installed\nn2 {2}plugin/)
  t.deepEqual(
    [n1, n2].flatMap(({ control }) => control.told.map(({ request }) => request)),
    Array(2).fill({ id: 'checker-redis', capabilities: ['net.connect'] }),
  )
  t.regex((await holdfast(n1, 'plugin', 'list')).out, /checker-redis +1\.0\.0 +signed by acme/)
  t.is((await holdfast(n1, 'plugin', 'remove', 'checker-redis')).code, 2)
  await holdfast(n1, 'plugin', 'remove', 'checker-redis@1.0.0')
  await holdfast(n1, 'plugin', 'disable', 'vip')
  await holdfast(n1, 'module', 'config', 'web', '--plugin', 'a@1.0.0', '--plugin', 'b')
  t.deepEqual(
    n1.control.told.slice(1).map(({ request }) => request),
    [
      { id: 'checker-redis', version: '1.0.0' },
      { id: 'vip', enabled: false },
      { name: 'web', plugins: { a: '1.0.0', b: 'newest' } },
    ],
  )
  const doctor = await holdfast(n1, 'plugin', 'doctor')
  t.regex(
    doctor.out,
    /this node\n.*api 0\.1\.0 +active +3 ms\nnot active\n {2}vip 0\.1\.0 {2}no module/s,
  )
})

test('a key is trusted by name on all nodes', async (t) => {
  const [n1, n2] = await pair(t)
  const directory = await mkdtemp(join(tmpdir(), 'hfcli-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const file = join(directory, 'acme.pub')
  await writeFile(file, 'PEM')
  const added = await holdfast(n1, 'trust', 'add', 'acme', file, '-H', '*')
  t.is(added.code, 0)
  t.deepEqual(n2.control.told, [{ method: 'trustAdd', request: { name: 'acme', pem: 'PEM' } }])
  t.regex((await holdfast(n1, 'trust', 'list')).out, /acme +0123456789abcdef/)
  t.is((await holdfast(n1, 'trust', 'remove', 'acme')).code, 0)
  t.is((await holdfast(n1, 'trust', 'add', 'acme', join(directory, 'none'))).code, 1)
})
