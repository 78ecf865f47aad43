/** What Prometheus gets: judged by promtool (Debian package prometheus, which tools/setup.sh installs), and read here. */
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ClusterView,
  type Control,
  type ControlEvent,
  HoldfastError,
  type ModuleState,
  type ModuleView,
} from '@holdfast/sdk'
import { startPlugin, TestClock } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { checkedIn, Collector } from './collect.js'
import { figuresOf } from './figures.js'
import { plugin } from './index.js'
import { listen } from './server.js'
import { textOf } from './text.js'

const program = '/usr/bin/promtool'
const documents = fileURLToPath(new URL('../../../docs/grafana', import.meta.url))

test.before((t) => {
  t.true(existsSync(program), `${program} is missing: sh tools/setup.sh test installs prometheus`)
})

test('promtool finds nothing to say about the figures of a pair with a copy and checkers', async (t) => {
  const node = new Node()
  const { url } = await serving(t, node)
  const response = await fetch(url)
  t.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.deepEqual(await judged(await response.text()), { code: 0, said: '' })
})

test('role, peer, heartbeat, copy and checkers can be read, and a question for another word is 0', async (t) => {
  const node = new Node()
  const { url } = await serving(t, node)
  node.log('critical')
  const text = await (await fetch(url)).text()
  for (const line of [
    'holdfast_info{cluster="c1",node="n1",version="0.1.0"} 1',
    'holdfast_module_role{module="web",role="PRIM"} 1',
    'holdfast_module_role{module="web",role="ALONE"} 0',
    'holdfast_module_sub_state{module="web",sub="Ready"} 1',
    'holdfast_module_role_since_seconds{module="web"} 1700000000',
    'holdfast_module_generation{module="web"} 12',
    'holdfast_module_peer_role{module="web",peer="n2",role="SECOND"} 1',
    'holdfast_module_failed{module="web"} 0',
    'holdfast_module_failed{module="broken"} 1',
    'holdfast_peer_connected{peer="n2"} 1',
    'holdfast_lan_up{peer="n2",lan="a"} 1',
    'holdfast_heartbeat_age_seconds{peer="n2",lan="a"} 0.12',
    'holdfast_copy_running{module="web"} 1',
    'holdfast_copy_done_bytes{module="web",phase="copy"} 10',
    'holdfast_copy_left_seconds{module="web",phase="copy"} +Inf',
    'holdfast_checkers_on{module="web"} 1',
    'holdfast_resource_value{module="web",resource="tcp.\\"a\\"",value="down"} 1',
    'holdfast_resource_value{module="web",resource="tcp.\\"a\\"",value="up"} 0',
    'holdfast_log_entries_total{level="critical"} 1',
  ]) {
    t.true(text.includes(`\n${line}\n`), line)
  }
  t.notRegex(text, /lan="b"\} NaN|module="empty"|holdfast_heartbeat_age_seconds\{peer="n2",lan="b"/)
})

test('a module whose command hangs or fails is seen without its checkers, and the others with theirs', async (t) => {
  const node = new Node()
  const clock = new TestClock()
  const collector = new Collector(node.control(), clock)
  node.answer = (name) => (name === 'web' ? new Promise(() => undefined) : Promise.resolve(checks))
  node.offers = ['web', 'broken', 'empty']
  const looks = [collector.snapshot(), collector.snapshot()]
  await clock.pass(2_000)
  const [first, second] = await Promise.all(looks)
  t.is(first, second)
  t.deepEqual([...(first?.checked.keys() ?? [])], ['broken', 'empty'])
  t.is(clock.pending, 0)
  node.answer = () => Promise.reject(new HoldfastError('E_X', 'it changes at this moment'))
  t.is((await collector.snapshot()).checked.size, 0)
})

test('of a foreign answer only what has the right form is believed', (t) => {
  for (const wrong of [undefined, null, 'x', {}, { checkers: 'on', resources: {} }]) {
    t.is(checkedIn(wrong), undefined)
  }
  const resources = [
    { name: 'a', value: 'up', sinceMs: 1 },
    { name: 1 },
    { name: 'b', value: 'up', sinceMs: '1' },
  ]
  t.is(checkedIn({ checkers: 'off', resources })?.resources.length, 1)
})

test('a node that belongs to no cluster and has no modules has valid figures too', async (t) => {
  const node = new Node()
  node.isEmpty = true
  const snapshot = await new Collector(node.control(), new TestClock()).snapshot()
  t.deepEqual(await judged(textOf(figuresOf(snapshot))), { code: 0, said: '' })
})

test('nothing but GET /metrics is answered, also not to what is no address, and a failure ends nothing', async (t) => {
  let fails = false
  const served = await listen({ address: '127.0.0.1', port: 0 }, () =>
    fails ? Promise.reject(new Error('a bug')) : Promise.resolve('x 1\n'),
  )
  t.teardown(() => served.stop())
  const url = `http://127.0.0.1:${String(served.port)}`
  t.is((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405)
  t.is((await fetch(url)).status, 404)
  t.regex(await raw(served.port, 'GET // HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 404/)
  fails = true
  const response = await fetch(`${url}/metrics`)
  t.deepEqual([response.status, await response.text()], [500, 'a bug\n'])
  fails = false
  t.is((await fetch(`${url}/metrics?x`)).status, 200)
})

test('each figure that the board and the alerts name exists, and promtool takes the alerts', async (t) => {
  const { url } = await serving(t, new Node())
  const text = await (await fetch(url)).text()
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  for (const file of ['holdfast.json', 'alerts.yml']) {
    const named = readFileSync(join(documents, file), 'utf8').match(/(holdfast|process)_[a-z_]+/g)
    t.deepEqual(
      [...new Set(named)].filter((name) => !known.has(name)),
      [],
    )
    t.true((named?.length ?? 0) > 5)
  }
  t.is((await told(['check', 'rules', join(documents, 'alerts.yml')])).code, 0)
})

test('an address that is taken is an error with the file to change, and no address is silence', async (t) => {
  const served = await listen({ address: '127.0.0.1', port: 0 }, () => Promise.resolve(''))
  t.teardown(() => served.stop())
  const setting = {
    config: { address: '127.0.0.1', port: served.port },
    provided: { 'core.control': new Node().control() },
  }
  const error = await t.throwsAsync(startPlugin(plugin, setting), { instanceOf: HoldfastError })
  t.is(error.code, 'E_METRICS_LISTEN')
  const node = new Node()
  const idle = await startPlugin(plugin, {
    config: {},
    provided: { 'core.control': node.control() },
  })
  t.is(node.watchers, 0)
  await idle.stop()
})

const state: ModuleState = {
  ...{ role: 'PRIM', sub: 'Ready', detail: 'uptodate', cause: 'a test', hint: undefined },
  ...{ sinceMs: 1_700_000_000_000, generation: '12:n1' },
  progress: {
    ...{ phase: 'copy', filesDone: 1, filesTotal: undefined, bytesDone: 10, bytesTotal: 100 },
    ...{ bytesPerSecond: 0, etaSeconds: Infinity },
  },
  remote: { node: 'n2', role: 'SECOND', sub: 'Transient' },
}
const checks = {
  checkers: 'on',
  resources: [{ name: 'tcp."a"', value: 'down', sinceMs: 1_700_000_000_500 }],
}

class Node {
  isEmpty = false
  offers: readonly string[] = ['web']
  answer: (name: string) => Promise<unknown> = () => Promise.resolve(checks)
  readonly #watchers = new Set<(event: ControlEvent) => void>()

  get watchers(): number {
    return this.#watchers.size
  }

  log(level: 'critical'): void {
    const entry = { sequence: 1, atMs: 0, level, event: 'x', fields: {} }
    const nobody = { module: undefined, plugin: undefined }
    for (const on of this.#watchers) on({ kind: 'logged', entry: { ...entry, ...nobody } })
  }

  control(): Pick<Control, 'cluster' | 'modules' | 'moduleCommands' | 'moduleRun' | 'watch'> {
    return {
      cluster: () => (this.isEmpty ? alone : pair),
      modules: () => (this.isEmpty ? [] : modules),
      moduleCommands: (name) =>
        this.offers.includes(name)
          ? [{ words: 'resource list', summary: '', parameters: {}, positional: [] }]
          : [],
      moduleRun: async ({ name }) => ({ ok: true, lines: [], data: await this.answer(name) }),
      watch: (on) => {
        this.#watchers.add(on)
        return () => this.#watchers.delete(on)
      },
    }
  }
}

const alone: ClusterView = {
  ...{ cluster: undefined, self: undefined, version: '0.1.0', revision: 0, nodes: [] },
}
const lan = { address: '10.0.0.2', up: true }
const pair: ClusterView = {
  ...{ cluster: 'c1', self: 'n1', version: '0.1.0', revision: 3 },
  nodes: [
    { node: 'n1', connected: true, version: '0.1.0', lans: [] },
    {
      ...{ node: 'n2', connected: true, version: '0.1.0' },
      lans: [
        { ...lan, lan: 'a', heardMsAgo: 120 },
        { ...lan, lan: 'b', heardMsAgo: undefined },
      ],
    },
  ],
}
const view = { id: 1, title: '', version: '1.0.0', nodes: ['n1', 'n2'], configured: true }
const modules: readonly ModuleView[] = [
  { ...view, name: 'web', state, failure: undefined },
  { ...view, name: 'broken', state: undefined, failure: { code: 'E_X', reason: 'why' } },
  { ...view, name: 'empty', configured: false, state: undefined, failure: undefined },
]

async function serving(t: ExecutionContext, node: Node): Promise<{ url: string }> {
  const host = await startPlugin(plugin, {
    config: { address: '127.0.0.1', port: 0 },
    provided: { 'core.control': node.control() },
  })
  t.teardown(() => host.stop())
  return { url: String(host.log.lines[0]?.fields['where']) }
}

function judged(text: string): Promise<{ code: number; said: string }> {
  return told(['check', 'metrics'], text)
}

function told(words: readonly string[], input = ''): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, words, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr })
    })
    child.stdin?.end(input)
  })
}

function raw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.on('data', (part) => (answer += String(part)))
    socket.on('close', () => {
      resolve(answer)
    })
    socket.on('error', reject)
  })
}
