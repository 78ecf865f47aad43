/** For tests: nodes with plugins written for the purpose, on temporary directories, talking in memory. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { HoldfastError, type LogEntry, type Peers } from '@holdfast/sdk'
import { type Directories, directoriesFrom } from '../files/directories.js'
import { discoverPlugins } from '../kernel/discover.js'
import { loadTrusted } from '../kernel/load-trusted.js'
import { EventLog } from '../log/event-log.js'
import { PluginCatalog } from '../plugins/catalog.js'
import { PluginService } from '../plugins/service.js'
import { PluginStore } from '../plugins/store.js'
import { systemClock } from '../scheduling/clock.js'
import { TrustedKeys } from '../trust/keyring.js'
import { makeExec } from './exec.js'
import { Modules } from './modules.js'
import { CoreServices } from './services.js'
import { ModuleStates } from './states.js'

type Answer = (node: string, message: unknown) => Promise<unknown>

export interface RigNode {
  readonly name: string
  readonly directories: Directories
  modules: Modules
  plugins: PluginService
  keys: TrustedKeys
  log(): readonly LogEntry[]
}

/** Says whether a message gets through; may throw what the network would throw. */
export type Traffic = (from: string, to: string, message: unknown) => void

export class Rig {
  readonly nodes = new Map<string, RigNode>()
  /** Also those that a restart left behind: their timers must end with the test. */
  private readonly started: Modules[] = []
  private readonly answers = new Map<string, Answer>()
  private readonly watchers = new Set<(what: string) => void>()
  traffic: Traffic = () => undefined
  bootId = 'boot-1'

  private constructor(readonly directory: string) {}

  static async with(names: readonly string[], act: (rig: Rig) => Promise<void>): Promise<void> {
    const rig = new Rig(await mkdtemp(join(tmpdir(), 'holdfast-modules-')))
    try {
      await rig.write('plugins', fakePlugins)
      for (const name of names) await rig.start(name)
      await act(rig)
    } finally {
      for (const modules of rig.started) await modules.close()
      await rm(rig.directory, { recursive: true })
    }
  }

  async write(below: string, files: Readonly<Record<string, string>>): Promise<string> {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.directory, below, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text, { mode: path.includes('bin/') ? 0o755 : 0o644 })
    }
    return join(this.directory, below)
  }

  node(name: string): RigNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  /** Returns when the module tells this role; the test's own time-out is the maximum. */
  async until(node: string, module: string, role: string): Promise<void> {
    if (this.node(node).modules.one(module).state?.role === role) return
    await new Promise<void>((resolve) => {
      this.watchers.add((what) => {
        if (what === `${node} ${module} ${role}`) resolve()
      })
    })
  }

  /** What a daemon does at its start. Starting a node again leaves the old one like a crash does. */
  async start(name: string): Promise<void> {
    const directories = directoriesFrom({ HOLDFAST_ROOT: join(this.directory, name) })
    await mkdir(directories.lib, { recursive: true, mode: 0o755 })
    const log = new EventLog({
      ...{ directory: join(directories.lib, 'log'), clock: systemClock, print: undefined },
    })
    const names = (): readonly string[] => [...new Set([...this.nodes.keys(), name])].sort()
    const peersFor = (): Peers => this.peers(name, names)
    const states = new ModuleStates()
    const core = new CoreServices({
      ...{ clock: systemClock, log, exec: makeExec(), directories, bootId: this.bootId, peersFor },
      modules: states,
      self: () => name,
      allOthers: () => names().filter((other) => other !== name),
    })
    const builtin = await discoverPlugins([join(this.directory, 'plugins')], '0.1.0')
    const keys = new TrustedKeys(directories)
    const store = new PluginStore(join(directories.lib, 'plugins'), keys, '0.1.0')
    const catalog = new PluginCatalog(builtin, store)
    await catalog.refresh()
    const modules = new Modules({
      ...{ directories, core, load: loadTrusted, bootId: this.bootId, nodes: names },
      plugins: catalog,
      peers: this.peers(name, names),
      onState: (module, state) => {
        states.tell(module, state)
        for (const watcher of this.watchers) watcher(`${name} ${module} ${state.role}`)
      },
    })
    states.attach(modules)
    const plugins = new PluginService({
      ...{ catalog, store, version: '0.1.0' },
      modules: () => modules.pluginSets(),
      node: () => ({
        activity: () => [],
        changed: () => Promise.resolve(),
        neededBy: () => Promise.resolve(new Map()),
      }),
      note: () => undefined,
    })
    const read = (): readonly LogEntry[] => log.read({ limit: 1_000, verbose: true })
    this.nodes.set(name, { name, directories, modules, plugins, keys, log: read })
    this.started.push(modules)
    await modules.open()
  }

  private peers(self: string, names: () => readonly string[]): Peers {
    return {
      self,
      get others() {
        return names().filter((name) => name !== self)
      },
      state: (node) => ({ node, lans: [], connected: true, incarnation: undefined }),
      watch: () => () => undefined,
      send: () => true,
      onMessage: () => () => undefined,
      call: async (node, message) => {
        // As over the wire: nothing but JSON gets through.
        const sent: unknown = JSON.parse(JSON.stringify(message))
        this.traffic(self, node, sent)
        const answer = this.answers.get(node)
        if (answer === undefined) throw new HoldfastError('E_PEER_DOWN', `${node} is not connected`)
        const replied: unknown = JSON.parse(JSON.stringify(await answer(self, sent)))
        return replied
      },
      onCall: (answer) => {
        this.answers.set(self, answer)
        return () => this.answers.delete(self)
      },
      address: () => undefined,
    }
  }
}

export const userconfig = (service: string): Readonly<Record<string, string>> => ({
  'conf/userconfig.xml': `<safe>\n${service}\n</safe>`,
  'bin/start_prim': '#!/bin/sh\n',
})
export const plain = userconfig('<service mode="pair"><heart timeout="2s"/></service>')

/** The error with which `promise` is refused; a promise that is kept fails the test. */
export async function refusal(promise: Promise<unknown>): Promise<HoldfastError> {
  try {
    await promise
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return thrown
    throw thrown
  }
  throw new Error('it was not refused')
}

export async function installed(
  rig: Rig,
  name: string,
  files: Readonly<Record<string, string>> = plain,
): Promise<RigNode> {
  const path = await rig.write(`sources-${name}`, files)
  const node = rig.node('n1')
  await node.modules.install({ name, path })
  return node
}

export async function configured(
  rig: Rig,
  name: string,
  files?: Readonly<Record<string, string>>,
): Promise<RigNode> {
  const node = await installed(rig, name, files)
  await node.modules.config({ name })
  return node
}

export const roleOf = (node: RigNode, name = 'app'): string | undefined =>
  node.modules.one(name).state?.role

export function eventsOf(node: RigNode, event: string): unknown[] {
  return node
    .log()
    .filter((entry) => entry.event === event)
    .map(({ fields }) => fields)
}

export function kindOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'kind' in message ? message.kind : ''
}

const common = {
  version: '1.0.0',
  engines: { holdfast: '^0.1.0' },
  entry: 'index.mjs',
  scope: 'module',
  platforms: ['linux'],
  needs: [],
  provides: [],
  contributes: [],
  requires: {},
  conflicts: [],
  capabilities: [],
  startTimeoutMs: 200,
  stopTimeoutMs: 200,
}

const element = (properties: object, required: string[] = []): object => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
})

/** A topology that is UP or STOP, a plugin whose check knows bad values, and one that fails to start. */
const fakePlugins: Readonly<Record<string, string>> = {
  'pair/plugin.json': JSON.stringify({
    ...common,
    id: 'pair',
    modes: ['pair'],
    needs: ['core.store', 'core.log'],
    contributes: ['point.topology'],
    config: element(
      {
        service: element(
          {
            mode: { type: 'string' },
            boot: { enum: ['on', 'off', 'auto'], default: 'off' },
            boot_delay: { type: 'integer', 'x-duration': 's', default: 0 },
          },
          ['mode'],
        ),
        heart: element({ timeout: { type: 'integer', 'x-duration': 'ms', default: 5_000 } }),
      },
      ['service'],
    ),
  }),
  'pair/index.mjs': `
    const t = (id) => ({ kind: 'token', id })
    export const plugin = {
      needs: { store: t('core.store'), log: t('core.log') },
      activate({ store, log }, config, scope) {
        let role = 'STOP'
        const on = new Set()
        const become = async (next) => {
          role = next
          await store.volatile.write('role', role)
          for (const call of on) call(state())
        }
        const state = () => ({ role, sub: 'Ready', cause: 'test', sinceMs: 0 })
        scope.contribute({ kind: 'point', id: 'point.topology' }, 'pair', {
          command: async (command) => {
            if (command === 'swap') return { ok: false, code: 'E_FAKE', reason: 'no peer' }
            await become(command === 'stop' ? 'STOP' : 'UP')
            return { ok: true }
          },
          state,
          watch: (call) => { on.add(call); return () => on.delete(call) },
          begin: async (mode) => {
            log.write('info', 'began', { mode, timeout: config.heart?.timeout })
            if (mode === 'adopt') await become((await store.volatile.read('role')) ?? 'STOP')
            if (mode === 'start') await become('UP')
            return { ok: true }
          },
        })
      },
    }`,
  'wheel/plugin.json': JSON.stringify({
    ...common,
    id: 'wheel',
    needs: ['core.log'],
    config: element({
      wheel: element(
        { tyre: { type: 'array', items: element({ size: { type: 'integer' } }, ['size']) } },
        [],
      ),
    }),
  }),
  'wheel/index.mjs': `
    export const plugin = { needs: { log: { kind: 'token', id: 'core.log' } }, activate({ log }, config, scope) {
      log.write('info', 'wheelStarted')
      scope.onStop(() => log.write('info', 'wheelStopped'))
    } }
    export const delays = () => ({ stopMs: 4_000 })
    export async function check({ wheel }, { node, others }) {
      const errors = []
      const warnings = []
      wheel.tyre?.forEach(({ size }, index) => {
        const path = '/wheel/tyre/' + index + '/size'
        if (size === 13) errors.push({ path, message: 'size 13 brings bad luck' })
        if (size === 2 && node === 'n2') errors.push({ path, message: 'does not fit' })
        if (size === 7) warnings.push({ path, message: 'is small' })
        if (size === 99) throw new Error('the scale broke')
        for (const { module, config } of others) {
          if (size === 50 && config.wheel.tyre?.some((tyre) => tyre.size === 50)) errors.push({ path, message: 'used by ' + module })
        }
      })
      return { errors, warnings }
    }`,
  'lamp/plugin.json': JSON.stringify({
    ...common,
    id: 'lamp',
    dynamic: true,
    needs: ['core.log'],
    contributes: ['point.command'],
    config: element({
      lamp: element({ colour: { type: 'string' }, broken: { type: 'boolean', default: false } }),
    }),
  }),
  'lamp/index.mjs': `
    export const plugin = { needs: { log: { kind: 'token', id: 'core.log' } }, activate({ log }, { lamp }, scope) {
      if (lamp.broken) throw new Error('no bulb')
      log.write('info', 'lampOn', { colour: lamp.colour })
      scope.onStop(() => log.write('info', 'lampOff'))
      scope.contribute({ kind: 'point', id: 'point.command' }, 'lamp colour', {
        summary: 'tell the colour', parameters: { type: 'object', additionalProperties: false }, positional: [],
        run: async () => ({ ok: true, lines: [lamp.colour], data: null }),
      })
    } }
    export async function check({ lamp }, { contributed, delays }) {
      const seen = 'stops in ' + delays.stopMs + ' beside ' + contributed.join()
      return { errors: [], warnings: lamp.colour === 'curious' ? [seen] : [] }
    }`,
  'bomb/plugin.json': JSON.stringify({
    ...common,
    id: 'bomb',
    config: element({ bomb: element({ hang: { type: 'boolean', default: false } }) }),
  }),
  'bomb/index.mjs': `
    export const plugin = { needs: {}, activate(_, { bomb }) {
      if (bomb.hang) return new Promise(() => undefined)
      throw new Error('boom')
    } }`,
}
