/** For tests: the two nodes of a module on one machine, with the services of their daemons. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Clock,
  type Exec,
  HoldfastError,
  type Log,
  type ModuleContext,
  type Peers,
  type Transition,
} from '@holdfast/sdk'
import { RfsDriver } from '../driver/driver.js'
import { endKeeper, keptFile } from '../driver/kept.js'
import { parseMountinfo } from '../driver/mountinfo.js'
import { pause } from '../driver/plane.js'
import { signalProcess } from '../driver/process.js'
import { socketOf, type RfsConfig } from '../driver/settings.js'
import { objectOf } from '../driver/object.js'
import { parseObject } from '../driver/wire.js'
import { memoryStore } from './store.js'

export interface Node {
  readonly name: string
  readonly context: ModuleContext
  readonly config: RfsConfig
  readonly directories: readonly string[]
  /** Log events with their fields, as JSON. */
  readonly logged: readonly string[]
  /**
   * A daemon as after its start: only what is in the store is known. The one before is gone. `entry`: it is of another
   * installation.
   */
  daemon(entry?: string): RfsDriver
  fault(faults: Readonly<Record<string, boolean | string>>): Promise<void>
  orders(): Promise<readonly Readonly<Record<string, unknown>>[]>
  planePid(): Promise<number | undefined>
}

export interface Pair {
  readonly n1: Node
  readonly n2: Node
  remove(): Promise<void>
}

const fakePlane = fileURLToPath(new URL('./fake-plane.js', import.meta.url))

export async function makePair(options: { id: number; entry?: string }): Promise<Pair> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-rfs-')))
  const drivers = new Map<string, RfsDriver>()
  const make = (name: string) => makeNode(name, root, options, drivers)
  const [n1, n2] = [await make('n1'), await make('n2')]
  return {
    n1,
    n2,
    remove: async () => {
      for (const [, driver] of drivers) driver.disconnect()
      for (const node of [n1, n2]) {
        const pid = await node.planePid()
        if (pid !== undefined) signalProcess(pid, 'SIGKILL')
        // Whoever still waits for an answer is let go only with the last one that has the connection.
        await endKeeper(keptFile(socketOf(node.context)), () => pause(realClock, 5))
        await unmountUnder(root)
      }
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function makeNode(
  name: string,
  root: string,
  options: { readonly id: number; readonly entry?: string },
  drivers: Map<string, RfsDriver>,
): Promise<Node> {
  const base = `${root}/${name}`
  const directories = [`${base}/data`, `${base}/more`]
  const context: ModuleContext = {
    name: 'shop',
    id: options.id,
    node: name,
    nodes: ['n1', 'n2'],
    directories: {
      package: `${base}/shop/package`,
      state: `${base}/shop/state`,
      run: `${base}/shop/run`,
      logs: `${base}/shop/logs`,
    },
    configDigest: '',
  }
  for (const path of [...directories, ...Object.values(context.directories)]) {
    await mkdir(path, { recursive: true })
  }
  const config: RfsConfig = {
    rfs: {
      async: 'none',
      zone: 262_144,
      timeout: 2_000,
      encryption: true,
      awake: true,
      replicated: directories.map((dir) => ({ dir })),
    },
  }
  const logged: string[] = []
  const log: Log = {
    write: (level, event, fields) => {
      logged.push(JSON.stringify({ level, event, ...fields }))
    },
  }
  const store = memoryStore()
  const { run } = context.directories
  return {
    name,
    context,
    config,
    directories,
    logged,
    daemon: (entry = options.entry ?? fakePlane) => {
      drivers.get(name)?.disconnect()
      const driver = new RfsDriver({
        clock: realClock,
        exec: realExec,
        log,
        module: context,
        peers: peersOf(name, drivers),
        store,
        config,
        entry,
      })
      drivers.set(name, driver)
      return driver
    },
    fault: (faults) => writeFile(`${run}/fake.json`, JSON.stringify(faults)),
    orders: async () =>
      (await readIfThere(`${run}/orders`))
        .split('\n')
        .map(parseObject)
        .filter((line) => line !== undefined),
    planePid: async () => {
      const recorded = objectOf(await store.volatile.read('plane'))
      return typeof recorded?.['pid'] === 'number' ? recorded['pid'] : undefined
    },
  }
}

/** Messages arrive at the driver of the other node, as JSON. */
function peersOf(self: string, drivers: ReadonlyMap<string, RfsDriver>): Peers {
  const other = self === 'n1' ? 'n2' : 'n1'
  return {
    self,
    others: [other],
    state: (node) => ({ node, lans: [], connected: true, incarnation: '1' }),
    watch: () => () => undefined,
    send: () => false,
    onMessage: () => () => undefined,
    onCall: () => () => undefined,
    call: async (node, message) => {
      const driver = drivers.get(node)
      if (driver === undefined) throw new HoldfastError('E_PEER_DOWN', `${node} is not connected`)
      const answer = await driver.admissions.answer(self, JSON.parse(JSON.stringify(message)))
      return JSON.parse(JSON.stringify(answer)) as unknown
    },
    address: () => '127.0.0.1',
  }
}

export function transition(
  from: Transition['from'],
  to: Transition['to'],
  action: Transition['action'] = 'start',
): Transition {
  return { from, to, action, cause: 'test', generation: '1:n1' }
}

export const never = new AbortController().signal

export async function until(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadlineMs = realClock.monotonicMs() + 10_000
  while (realClock.monotonicMs() < deadlineMs) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

export async function mountTypes(directory: string): Promise<readonly string[]> {
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'))
  return mounts.filter(({ point }) => point === directory).map(({ type }) => type)
}

/** Sends one line to the fake data plane, displacing the plugin for a moment. */
export function socketPath(node: Node): string {
  return socketOf(node.context)
}

export const realClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  wallMs: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call) => {
    const timer = setInterval(call, periodMs)
    return () => {
      clearInterval(timer)
    }
  },
  cron: () => () => undefined,
}

export const realExec: Exec = {
  run: (command, args, { timeoutMs, env }) =>
    new Promise((resolve) => {
      const options = { timeout: timeoutMs, env: { ...process.env, ...env }, killSignal: 'SIGKILL' }
      execFile(
        command,
        [...args],
        { ...options, killSignal: 'SIGKILL' },
        (error, stdout, stderr) => {
          const timedOut = error?.killed === true
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined
          resolve({ code, signal: undefined, timedOut, stdout, stderr })
        },
      )
    }),
}

async function unmountUnder(root: string): Promise<void> {
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'))
  for (const { point } of mounts.filter((mount) => mount.point.startsWith(root)).reverse()) {
    await realExec.run('umount', ['--no-canonicalize', '--lazy', point], { timeoutMs: 5_000 })
  }
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
