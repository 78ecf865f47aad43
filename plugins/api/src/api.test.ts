import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { statusOf } from './errors.js'
import { prepareBinding } from './socket.js'
import {
  ask,
  type FakeNode,
  frames,
  moduleStateOf,
  one,
  pair,
  startFakeNodes,
  until,
} from './testing/index.js'
import { Schemas } from './validation.js'

test('the socket is closed to everybody but root and the group holdfast', async (t) => {
  const node = await one(t)
  const { mode } = await stat(node.socket)
  t.is(mode & 0o007, 0)
})

test('the group holdfast may use the socket when it exists, and nobody else when it does not', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hfapi-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const groupFile = join(directory, 'group')
  const cases = [
    ['root:x:0:\nholdfast:x:4242:alice\n', 0o660, 4242],
    ['root:x:0:\nholdfast2:x:4243:\n', 0o600, 0],
  ] as const
  for (const [groups, expectedMode, expectedGroup] of cases) {
    await writeFile(groupFile, groups)
    const path = join(directory, 'api.sock')
    const binding = await prepareBinding(path, groupFile)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(binding.path, resolve))
    await binding.publish()
    const { mode, gid } = await stat(path)
    t.deepEqual([mode & 0o777, gid], [expectedMode, expectedGroup])
    await binding.withdraw()
    await t.throwsAsync(stat(path), { code: 'ENOENT' })
    server.close()
  }
})

test('a second daemon does not take the socket of one that answers, and a left-over file is replaced', async (t) => {
  const node = await one(t)
  const error = await t.throwsAsync(prepareBinding(node.socket), { instanceOf: HoldfastError })
  t.is(error.code, 'E_API_SOCKET_IN_USE')
  const leftOver = `${node.socket}.old`
  await writeFile(leftOver, '')
  await t.notThrowsAsync(prepareBinding(leftOver))
})

test('a node that belongs to no cluster answers', async (t) => {
  const { nodes, stop } = await startFakeNodes([])
  t.teardown(stop)
  const reply = await ask(nodes[0] as FakeNode, 'GET', '/node') // startFakeNodes makes at least one.
  t.is(reply.status, 200)
  t.is(reply.body['node'], undefined)
  t.is(reply.body['version'], '0.1.0')
})

test('orders reach the control with exactly the options that were sent', async (t) => {
  const node = await one(t)
  node.control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  const reply = await ask(node, 'POST', '/modules/web/commands/prim', {
    fullsync: true,
    cause: 'test',
  })
  t.deepEqual([reply.status, reply.body], [202, { accepted: true }])
  const bare = await ask(node, 'POST', '/modules/web/commands/stop')
  t.is(bare.status, 202)
  t.deepEqual(
    node.control.told.map((told) => told.request),
    [
      { name: 'web', command: 'prim', options: { fullsync: true, cause: 'test' } },
      { name: 'web', command: 'stop', options: {} },
    ],
  )
})

test('malformed input is refused with its place, and nothing is done', async (t) => {
  const node = await one(t)
  node.control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  const cases: readonly (readonly [string, string, unknown, number, RegExp])[] = [
    [
      'POST',
      '/modules/web/commands/prim',
      { fulsync: true },
      400,
      /body: unknown property "fulsync"/,
    ],
    [
      'POST',
      '/modules/web/commands/prim',
      { fullsync: 'true' },
      400,
      /body\/fullsync: must be boolean/,
    ],
    ['POST', '/modules/web/commands/dance', {}, 400, /params\/command: must be one of start, stop/],
    ['POST', '/modules/..%2fetc/commands/stop', {}, 400, /params\/name/],
    ['POST', '/modules', { name: 'x' }, 400, /body: property "path" is missing/],
    ['POST', '/modules', { name: 'x', path: 'relative' }, 400, /body\/path/],
    ['POST', '/modules/web/config', { nodes: [] }, 400, /body\/nodes/],
    ['GET', '/log?limit=100000', undefined, 400, /query\/limit is 100000: must be <= 1000/],
    ['GET', '/log?limit=5&limit=6', undefined, 400, /query\/limit/],
    ['GET', '/log?colour=red', undefined, 400, /query: unknown property "colour"/],
    ['GET', '/modules/web/wait?state=PRIM,DANCE', undefined, 400, /query\/state/],
    ['GET', '/modules/web/wait?state=PRIM&timeoutMs=99999999', undefined, 400, /query\/timeoutMs/],
    [
      'POST',
      '/cluster/invite',
      { node: 'n2', ttlMs: 1 },
      400,
      /body\/ttlMs is 1: must be >= 10000/,
    ],
    ['GET', '/nowhere', undefined, 404, /there is no GET/],
    ['GET', '/modules/nobody', undefined, 404, /no module "nobody"/],
    ['POST', '/modules/web/commands/swap', {}, 409, /swap needs/],
  ]
  for (const [method, path, body, status, message] of cases) {
    const reply = await ask(node, method, path, body)
    t.is(reply.status, status, `${method} ${path}`)
    t.regex(String(reply.body['message']), message)
    t.regex(String(reply.body['code']), /^E_/)
  }
  t.deepEqual(node.control.told, [])
})

test('broken JSON, a wrong type and a body over 1 MiB are refused in our words', async (t) => {
  const node = await one(t)
  const broken = await ask(node, 'PUT', '/cluster/config', undefined, '{"xml":')
  t.deepEqual([broken.status, broken.body['code']], [400, 'E_API_JSON_INVALID'])
  const poison = await ask(
    node,
    'PUT',
    '/cluster/config',
    undefined,
    '{"xml":"a","__proto__":{"a":1}}',
  )
  t.is(poison.status, 400)
  const large = await ask(node, 'PUT', '/cluster/config', { xml: 'x'.repeat(1 << 20) })
  t.deepEqual([large.status, large.body['code']], [413, 'E_API_BODY_TOO_LARGE'])
  t.deepEqual(node.control.told, [])
})

test('a defect in a route answers 500 without its text, and is logged', async (t) => {
  const node = await one(t, [
    {
      method: 'GET',
      path: '/broken',
      summary: 'fails',
      response: {},
      handle: () => Promise.reject(new Error('secret detail')),
    },
  ])
  const reply = await ask(node, 'GET', '/broken')
  t.is(reply.status, 500)
  t.false(JSON.stringify(reply.body).includes('secret detail'))
  t.true(node.logged.some(({ event }) => event === 'requestFailed'))
})

test('a route of a plugin is mounted, validated and published', async (t) => {
  const node = await one(t, [
    {
      method: 'GET',
      path: '/resources/:name',
      summary: 'Resources',
      params: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
      query: {
        type: 'object',
        properties: { limit: { type: 'integer', default: 7 } },
        additionalProperties: false,
      },
      response: { type: 'object' },
      handle: ({ params, query }) => Promise.resolve({ seen: { params, query } }),
    },
  ])
  const reply = await ask(node, 'GET', '/resources/abc')
  t.deepEqual(reply.body['seen'], { params: { name: 'abc' }, query: { limit: '7' } })
  t.is((await ask(node, 'GET', '/resources/toolong')).status, 400)
  const document = await ask(node, 'GET', '/openapi.json')
  t.true(Object.keys(document.body['paths'] as object).includes('/api/v1/resources/{name}'))
})

test('a plugin that repeats a route or writes a malformed one does not start', async (t) => {
  const route = { method: 'GET', path: '/node', summary: '', response: {} } as const
  const handle = () => Promise.resolve({})
  const expected = { instanceOf: HoldfastError }
  const twice = await t.throwsAsync(startFakeNodes(['n1'], [{ ...route, handle }]), expected)
  t.is(twice.code, 'E_API_ROUTE_DUPLICATE')
  const malformed = await t.throwsAsync(
    startFakeNodes(['n1'], [{ ...route, path: '/../x', handle }]),
    expected,
  )
  t.is(malformed.code, 'E_API_ROUTE_INVALID')
})

test('what the routes answer is what the published document promises', async (t) => {
  const node = await one(t)
  const progress = {
    phase: 'copy',
    filesDone: 1,
    filesTotal: 2,
    bytesDone: 3,
    bytesTotal: 4,
    bytesPerSecond: 5,
    etaSeconds: 6,
  } as const
  const remote = { node: 'n2', role: 'UNKNOWN', sub: undefined } as const
  node.control.addModule('web', moduleStateOf('SECOND', 'Transient', { progress, remote }))
  node.control.append('event', 'stateChanged', 'web', 'SECOND')
  const document = await ask(node, 'GET', '/openapi.json')
  const paths = document.body['paths'] as Record<string, Record<string, OpenApiOperation>>
  const asked = {
    '/api/v1/node': '/node',
    '/api/v1/cluster': '/cluster',
    '/api/v1/cluster/xml': '/cluster/xml',
    '/api/v1/modules': '/modules',
    '/api/v1/modules/{name}': '/modules/web',
    '/api/v1/modules/{name}/log': '/modules/web/log',
    '/api/v1/log': '/log',
    '/api/v1/modules/{name}/wait': '/modules/web/wait?state=PRIM&timeoutMs=0',
  }
  for (const [path, address] of Object.entries(asked)) {
    const schema = paths[path]?.['get']?.responses['200']?.content['application/json']?.schema
    if (schema === undefined) throw new Error(`${path} is not in the document`)
    const reply = await ask(node, 'GET', address)
    t.is(new Schemas().compile(schema, 'body')(reply.body).problems, undefined, path)
  }
})

interface OpenApiOperation {
  readonly responses: Record<
    string,
    { readonly content: Record<string, { readonly schema: object }> }
  >
}

test('a wait ends when the state is reached, and tells the state when its time is over', async (t) => {
  const node = await one(t)
  node.control.addModule('web', moduleStateOf('WAIT', 'Transient'))
  const waiting = ask(node, 'GET', '/modules/web/wait?state=PRIM,ALONE&timeoutMs=20000')
  await until(() => node.control.watchers === 1)
  node.control.become('web', moduleStateOf('PRIM', 'Transient'))
  node.control.become('web', moduleStateOf('PRIM', 'Ready'))
  const reply = await waiting
  t.is(reply.body['reached'], true)
  t.is(node.control.watchers, 0)
  const late = await ask(node, 'GET', '/modules/web/wait?state=STOP&timeoutMs=20')
  t.is(late.body['reached'], false)
  t.is((late.body['state'] as { role: string }).role, 'PRIM')
})

test('an event stream begins with the present, replays what was missed, then goes on live', async (t) => {
  const node = await one(t)
  node.control.addModule('web', moduleStateOf('PRIM', 'Ready'))
  for (const text of ['first', 'second', 'third']) node.control.append('event', 'said', 'web', text)
  const reading = frames(node, '/events', { 'last-event-id': '1' }, (text) => text.includes('live'))
  await until(() => node.control.watchers === 1)
  node.control.append('debug', 'said', 'web', 'hidden')
  node.control.append('event', 'said', 'web', 'live')
  const text = await reading
  t.regex(text, /^event: clusterState\n/)
  t.regex(text, /event: moduleState\ndata: \{"module":"web","state":\{"role":"PRIM"/)
  t.false(text.includes('first') || text.includes('hidden'))
  t.deepEqual(
    [...text.matchAll(/^id: (\d+)$/gm)].map((match) => match[1]),
    ['2', '3', '5'],
  )
  await until(() => node.control.watchers === 0)
})

test('a replay that cannot be complete says so', async (t) => {
  const node = await one(t)
  for (let count = 0; count < 1100; count += 1) node.control.append('event', 'said', undefined, 'x')
  const text = await frames(node, '/events', { 'last-event-id': '5' }, (now) =>
    now.includes('id: 1100'),
  )
  t.regex(text, /event: gap\ndata: \{"afterSequence":5,"beforeSequence":101\}/)
})

test('a client that does not read is disconnected and its watch is removed', async (t) => {
  const node = await one(t)
  const socket = connect(node.socket)
  t.teardown(() => socket.destroy())
  socket.write('GET /api/v1/events HTTP/1.1\r\nhost: x\r\n\r\n')
  socket.pause()
  await until(() => node.control.watchers === 1)
  const text = 'x'.repeat(100_000)
  for (let count = 0; count < 60; count += 1) node.control.append('event', 'said', undefined, text)
  t.is(node.control.watchers, 0)
})

test('a question for another node is answered there, with its status and its refusal', async (t) => {
  const [n1, n2] = await pair(t)
  n2.control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  const view = await ask(n1, 'GET', '/modules/web?node=n2')
  t.deepEqual([view.status, view.body['name']], [200, 'web'])
  const order = await ask(n1, 'POST', '/modules/web/commands/second?node=n2', { fullsync: true })
  t.is(order.status, 202)
  t.deepEqual(n2.control.told[0]?.request, {
    name: 'web',
    command: 'second',
    options: { fullsync: true },
  })
  t.deepEqual(n1.control.told, [])
  const refused = await ask(n1, 'POST', '/modules/web/commands/swap?node=n2', {})
  t.deepEqual([refused.status, refused.body['code']], [409, 'E_MIRROR_STATE'])
  const invalid = await ask(n1, 'POST', '/modules/web/commands/stop?node=n2', { x: 1 })
  t.deepEqual([invalid.status, invalid.body['code']], [400, 'E_API_INPUT_INVALID'])
  const removed = await ask(n1, 'DELETE', '/modules/web?node=n2')
  t.is(removed.status, 200)
})

test('a node that is unknown, not connected, or cannot be streamed from is told as such', async (t) => {
  const [n1, n2] = await pair(t)
  const unknown = await ask(n1, 'GET', '/modules?node=n9')
  t.deepEqual([unknown.status, unknown.body['code']], [404, 'E_API_NODE_UNKNOWN'])
  t.is(unknown.body['hint'], 'nodes: n1, n2')
  n2.connected = false
  const down = await ask(n1, 'GET', '/modules?node=n2')
  t.deepEqual([down.status, down.body['code']], [503, 'E_API_NODE_UNREACHABLE'])
  const stream = await ask(n1, 'GET', '/events?node=n2')
  t.deepEqual([stream.status, stream.body['code']], [422, 'E_API_NOT_FORWARDED'])
  const self = await ask(n1, 'GET', '/node?node=n1')
  t.is(self.body['node'], 'n1')
})

test('an answer too large for a message between nodes is refused with a way out', async (t) => {
  const [n1, n2] = await pair(t)
  for (let count = 0; count < 100; count += 1) {
    n2.control.append('event', 'said', undefined, 'x'.repeat(10_000))
  }
  const reply = await ask(n1, 'GET', '/log?node=n2&limit=100')
  t.deepEqual([reply.status, reply.body['code']], [413, 'E_API_ANSWER_TOO_LARGE'])
  t.is((await ask(n1, 'GET', '/log?node=n2&limit=10')).status, 200)
})

test('a token never reaches the log', async (t) => {
  const node = await one(t)
  await ask(node, 'POST', '/cluster/join', { token: 'HF1-abcdef' })
  await until(() => node.logged.some(({ event }) => event === 'requestAnswered'))
  t.false(JSON.stringify(node.logged).includes('abcdef'))
})

test('codes map to statuses by their ending', (t) => {
  t.is(statusOf('E_MODULE_UNKNOWN'), 404)
  t.is(statusOf('E_PEER_TIMEOUT'), 504)
  t.is(statusOf('E_CONFIG_INVALID'), 422)
})

test('a command of a plugin gets its parameters, and its end comes when the client goes away', async (t) => {
  const node = await one(t)
  node.control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  let ended = ''
  node.control.commands.set('rfs verify', {
    summary: 'compare',
    parameters: { type: 'object' },
    positional: [],
    run: (parameters, signal) => {
      if (parameters['wait'] !== true)
        return Promise.resolve({ ok: true, lines: ['same'], data: 1 })
      return new Promise(() => {
        signal.addEventListener('abort', () => (ended = 'aborted'))
      })
    },
  })
  const list = await ask(node, 'GET', '/modules/web/commands')
  const described = { summary: 'compare', parameters: { type: 'object' }, positional: [] }
  t.deepEqual(list.body, { commands: [{ words: 'rfs verify', ...described }] })
  const reply = await ask(node, 'POST', '/modules/web/commands/run', { command: 'rfs verify' })
  t.deepEqual([reply.status, reply.body], [200, { ok: true, lines: ['same'], data: 1 }])
  const body = { command: 'rfs verify', parameters: { nested: {} } }
  t.is((await ask(node, 'POST', '/modules/web/commands/run', body)).status, 400)
  const gone = connect(node.socket)
  const text = JSON.stringify({ command: 'rfs verify', parameters: { wait: true } })
  gone.write(
    `POST /api/v1/modules/web/commands/run HTTP/1.1\r\nhost: n\r\ncontent-type: application/json\r\ncontent-length: ${String(text.length)}\r\n\r\n${text}`,
  )
  await until(() => node.control.told.length === 2)
  gone.destroy()
  await until(() => ended !== '')
  t.is(ended, 'aborted')
})
