/** Commands that come from plugins, and those about plugins. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { holdfast, pair } from './cli.fixture.js'

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
  const group = await holdfast(n1, 'help', 'resource', '-m', 'web')
  t.is(group.code, 0)
  t.regex(group.out, /set: offered by a plugin of the module\n[^]*say what a resource is/)
  t.regex(group.out, /Examples:\n {2}holdfast resource set resource -m MODULE/)
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
  t.regex(done.out, /n1 {2}plugin checker-redis 1\.0\.0: installed\nn2 {2}plugin/)
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
