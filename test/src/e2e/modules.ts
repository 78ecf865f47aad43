/** What the tests of delivered modules have in common: installed by name, used, failed over under load, swapped back. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type Acknowledged,
  type Application,
  differences,
  type Host,
  lostEntries,
  type Product,
  replicaOf,
  signal,
  until,
  virtualIp,
} from '@holdfast/lab'
import type { ExecutionContext } from 'ava'
import { type Pair, patienceMs, withPair } from './given.js'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const packProgram = path('../../../tools/pack/dist/main.js')
const registry = path('../../../modules-registry')

/** Packs what the daemons deliver, once for all files of tests that run side by side: a daemon of theirs may be reading it. */
export async function packRegistry(): Promise<void> {
  const isOld = 'find . -newer dist/index.json ! -path "./dist*" 2>&1 | grep -q .'
  const pack = ['-c', `! ${isOld} || exec "$0" "$1"`, process.execPath, packProgram]
  await promisify(execFile)('flock', [registry, 'sh', ...pack], { cwd: registry })
}

export interface ModuleUse {
  readonly parameters?: Readonly<Record<string, string>>
  /** Changes the configuration before it is applied: an expression of sed. */
  readonly edit?: string
  /** What a node needs each time it was switched on, before the module starts there. */
  readonly eachBoot?: (host: Host) => Promise<void>
  /** Ends the server as a bug would; without it, its processes are killed. */
  readonly kill?: (host: Host) => Promise<void>
  /** What the judge of the application has to say when all is over. */
  readonly judge?: (pair: Pair) => Promise<void>
}

/** What each module of a mirror asks for, as it fits a lab. */
export const inMirror = { VIRTUAL_IP: virtualIp, HEART_TIMEOUT: '1000ms', ISOLATION: 'alone' }

/** On the node and on all others of the module. */
export async function installByName(
  node: Product,
  name: string,
  parameters: Readonly<Record<string, string>> = {},
  edit?: string,
): Promise<void> {
  const given = Object.entries(parameters).flatMap(([key, value]) => ['--param', `${key}=${value}`])
  await node.mustRun(['module', 'install', name, ...given])
  const file = `/etc/holdfast/modules/${name}/conf/userconfig.xml`
  if (edit !== undefined) await node.host.mustRun(['sed', '-i', edit, file])
  await node.mustRun(['module', 'config', name])
}

/** The judgement on a module: its server dies, then its node, then the roles are exchanged, and clients write all the while. */
export async function failsOverAndBack(
  t: ExecutionContext,
  application: Application,
  { parameters = {}, edit, eachBoot, kill, judge }: ModuleUse = {},
): Promise<void> {
  const { name, directory } = application
  await withPair(t, { module: false, application }, async (pair) => {
    const { n1, n2 } = pair
    for (const { host } of pair.nodes) {
      await host.mustRun(['mkdir', '-p', directory])
      await eachBoot?.(host)
    }
    await installByName(n1, name, { DIRECTORY: directory, ...inMirror, ...parameters }, edit)
    await pair.serves()
    await serverDies(pair, kill)

    await n1.host.powerOff()
    await pair.is(n2, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.switchOn(n1)
    await eachBoot?.(n1.host)
    await pair.is(n1, 'STOP NotReady')
    await pair.order(n1, 'start')
    await pair.is(n1, 'SECOND Ready')
    await pair.is(n2, 'PRIM Ready')
    await pair.order(n2, 'swap')
    await pair.is(n1, 'PRIM Ready')
    await pair.is(n2, 'SECOND Ready')
    t.deepEqual(await n2.host.processes(application.process), [], 'it still runs on n2')
    await pair.clientsGoOn()

    await pair.clients.stop()
    await nothingIsLost(t, pair)
    await judge?.(pair)
    for (const node of [n2, n1]) {
      await pair.order(node, 'stop')
      await pair.is(node, 'STOP NotReady')
    }
    t.deepEqual(await n1.host.processes(application.process), [], 'it runs after a stop')
  })
}

/**
 * Control groups that a test made on this machine and that nobody is in any more: those below a directory of a controller, or of the one
 * hierarchy, whose name begins so.
 */
export async function removeGroups(prefix: string): Promise<void> {
  const remove = 'for one in /sys/fs/cgroup/"$0"* /sys/fs/cgroup/*/"$0"*; do'
  const leavesFirst = '[ ! -d "$one" ] || find "$one" -depth -type d -exec rmdir {} \\;; done'
  await promisify(execFile)('sh', ['-c', `${remove} ${leavesFirst}`, prefix])
}

/** The module's own checker sees it, and the server is started again where it was. */
async function serverDies(pair: Pair, kill: ModuleUse['kill']): Promise<void> {
  const { host } = pair.n1
  const running = (): Promise<readonly number[]> => host.processes(pair.application.process)
  const before = await running()
  if (kill === undefined) for (const pid of before) signal(pid, 'SIGKILL')
  else await kill(host)
  await until(
    'another server runs',
    async () => ((await running()).some((pid) => !before.includes(pid)) ? true : undefined),
    { timeoutMs: patienceMs },
  )
  await pair.is(pair.n1, 'PRIM Ready')
  await pair.clientsGoOn()
}

async function nothingIsLost(t: ExecutionContext, pair: Pair): Promise<void> {
  const { application, n1 } = pair
  const acknowledged = pair.clients.record.all
  // Firebird does not tell its clients where it runs.
  const answering = application.name === 'firebird' ? ['unknown'] : ['n1', 'n2', 'n1']
  t.deepEqual(answeringNodes(acknowledged), answering)
  const served = await application.entries(pair.lab.host('c1'))
  t.deepEqual(lostEntries(acknowledged, [served]), [], 'acknowledged entries are lost')
  const replicas = pair.nodes.map((node) => replicaOf(node.host, application))
  const settle = (): Promise<void> => application.settle(n1.host)
  const told = await differences(replicas, { timeoutMs: 10_000, settle })
  // Space that a database reserves reads as zeros on both disks, but a copy does not reserve it.
  const different = told.split('\n').filter((line) => line !== '' && !/: holes: \d+/.test(line))
  t.deepEqual(different, [], 'the replicas differ')
}

/** The nodes in the order in which they answered, repetitions left out. */
function answeringNodes(acknowledged: readonly Acknowledged[]): readonly string[] {
  const nodes = acknowledged.map(({ node }) => node)
  return nodes.filter((node, index) => node !== nodes[index - 1])
}

/** The process id of the only idle server of this name on the node, other than `before`. */
export async function idleServer(node: Product, name: string, before = 0): Promise<number> {
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
