/** The delivered modules with their real servers: installed by name, failed over under load, swapped back. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type Acknowledged,
  type Application,
  differences,
  evidenceDirectory,
  lostEntries,
  postgresql,
  type Product,
  replicaOf,
  signal,
  until,
  virtualIp,
} from '@holdfast/lab'
import test, { type ExecutionContext } from 'ava'
import { type Pair, patienceMs, withPair } from './given.js'
import { apache, firebird, mariadb, nginx } from './servers.js'

/** What the daemons deliver. */
const packRegistry = fileURLToPath(new URL('../../../tools/pack/dist/main.js', import.meta.url))

test.before(async () => {
  await promisify(execFile)(process.execPath, [packRegistry])
})

/** The nodes in the order in which they answered, repetitions left out. */
function answeringNodes(acknowledged: readonly Acknowledged[]): readonly string[] {
  const nodes = acknowledged.map(({ node }) => node)
  return nodes.filter((node, index) => node !== nodes[index - 1])
}

async function installByName(
  pair: Pair,
  name: string,
  parameters: Readonly<Record<string, string>>,
): Promise<void> {
  const given = Object.entries(parameters).flatMap(([key, value]) => ['--param', `${key}=${value}`])
  await pair.n1.mustRun(['module', 'install', name, ...given])
  await pair.n1.mustRun(['module', 'config', name])
}

async function failsOverAndBack(
  t: ExecutionContext,
  application: Application,
  parameters: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { name, directory } = application
  await withPair(t, { module: false, application }, async (pair) => {
    const { n1, n2 } = pair
    for (const { host } of pair.nodes) await host.mustRun(['mkdir', '-p', directory])
    const common = { DIRECTORY: directory, VIRTUAL_IP: virtualIp, HEART_TIMEOUT: '1000ms', ISOLATION: 'alone' }
    await installByName(pair, name, { ...common, ...parameters })
    await pair.serves()

    await n1.host.powerOff()
    await pair.is(n2, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.comesBack(n1)
    await pair.is(n1, 'SECOND Ready')
    await pair.is(n2, 'PRIM Ready')
    await pair.order(n2, 'swap')
    await pair.is(n1, 'PRIM Ready')
    await pair.is(n2, 'SECOND Ready')
    t.deepEqual(await n2.host.processes(application.process), [], 'it still runs on n2')
    await pair.clientsGoOn()

    await pair.clients.stop()
    const acknowledged = pair.clients.record.all
    // Firebird does not tell its clients where it runs.
    const answering = name === 'firebird' ? ['unknown'] : ['n1', 'n2', 'n1']
    t.deepEqual(answeringNodes(acknowledged), answering)
    const served = await application.entries(pair.lab.host('c1'))
    t.deepEqual(lostEntries(acknowledged, [served]), [], 'acknowledged entries are lost')
    const replicas = pair.nodes.map((node) => replicaOf(node.host, application))
    const settle = (): Promise<void> => application.settle(n1.host)
    const told = await differences(replicas, { timeoutMs: 10_000, settle })
    // Space that a database reserves reads as zeros on both disks, but a copy does not reserve it.
    const different = told.split('\n').filter((line) => line !== '' && !/: holes: \d+/.test(line))
    t.deepEqual(different, [], 'the replicas differ')
    for (const node of [n2, n1]) {
      await pair.order(node, 'stop')
      await pair.is(node, 'STOP NotReady')
    }
    t.deepEqual(await n1.host.processes(application.process), [], 'it runs after a stop')
  })
}

test('postgresql fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, postgresql, { EVIDENCE: evidenceDirectory })
})

test('mariadb fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, mariadb)
})

test('nginx fails over under load and back, and loses no file that it took', async (t) => {
  await failsOverAndBack(t, nginx, { PORT: '80' })
})

test('apache fails over under load and back, and loses no file that it took', async (t) => {
  await failsOverAndBack(t, apache, { PORT: '80' })
})

test('firebird fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, firebird)
})

async function installAndStart(node: Product, name: string): Promise<void> {
  await node.mustRun(['module', 'install', name])
  await node.mustRun(['module', 'config', name])
  await node.mustRun(['start', '-m', name, '--no-wait'])
  await node.waitForState(name, ['UP Ready'], patienceMs)
}

/** The process id of the only idle server of this name on the node, other than `before`. */
async function idleServer(node: Product, name: string, before = 0): Promise<number> {
  const pattern = new RegExp(`idle_server ${name} ?$`)
  return until(
    `${name} runs alone`,
    async () => {
      const [pid, ...more] = await node.host.processes(pattern)
      return more.length === 0 && pid !== before ? pid : undefined
    },
    { timeoutMs: patienceMs },
  )
}

test('softerrd starts one process again alone, and another one with the whole application', async (t) => {
  await withPair(t, { module: false }, async ({ n1 }) => {
    await installAndStart(n1, 'softerrd')
    const worker = await idleServer(n1, 'worker')
    const front = await idleServer(n1, 'front')
    signal(worker, 'SIGKILL')
    const nextWorker = await idleServer(n1, 'worker', worker)
    t.is(await idleServer(n1, 'front'), front)
    t.is(await n1.state('softerrd'), 'UP Ready')
    signal(front, 'SIGKILL')
    await idleServer(n1, 'front', front)
    t.not(await idleServer(n1, 'worker', nextWorker), worker)
  })
})

test('customchecker restarts the application when its checker says so', async (t) => {
  await withPair(t, { module: false }, async ({ n1 }) => {
    await installAndStart(n1, 'customchecker')
    const before = await idleServer(n1, 'custom')
    const resource = async (): Promise<string> =>
      n1.mustRun(['resource', 'history', 'custom.file', '-m', 'customchecker'])
    await until('it is up', async () => (/up/.test(await resource()) ? true : undefined), {
      timeoutMs: patienceMs,
    })
    await n1.host.mustRun(['rm', '/run/holdfast-customchecker.ok'])
    t.not(await idleServer(n1, 'custom', before), before)
    t.regex(await resource(), /down/)
  })
})
