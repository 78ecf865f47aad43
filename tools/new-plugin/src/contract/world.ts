/** What the contract suite starts a plugin with: the real host of the core, and services that tests control. */
import {
  compileSchema,
  discoverPlugins,
  loadTrusted,
  PluginSet,
  type PluginSource,
  type PluginStatus,
  systemClock,
} from '@holdfast/core'
import {
  type Checker,
  checker,
  clock,
  control,
  definePlugin,
  exec,
  HoldfastError,
  liveness,
  log,
  moduleContext,
  modules,
  peers,
  point,
  store,
  topology,
  type Verdict,
} from '@holdfast/sdk'
import {
  TestClock,
  TestExec,
  TestLog,
  TestNetwork,
  TestStore,
  testTopology,
} from '@holdfast/sdk/testing'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ContractSetting {
  /** A configuration as the schema describes it; without it, the defaults of the schema. */
  readonly config?: unknown
  /** Instances of tokens that other plugins would provide, by id. */
  readonly provided?: Readonly<Record<string, unknown>>
}

/** One start of the plugin, with services of its own. */
export interface Run {
  readonly clock: TestClock
  readonly log: TestLog
  readonly store: TestStore
  readonly network: TestNetwork
  readonly statuses: readonly PluginStatus[]
  start(): Promise<Verdict>
  stop(): Promise<Verdict>
  checkers(): ReadonlyMap<string, Checker>
  /** Ids of its contributions to a point. */
  contributed(id: string): readonly string[]
}

export class ContractWorld {
  private constructor(
    readonly directory: string,
    readonly source: PluginSource | undefined,
    /** Why there is no source. */
    readonly problem: string | undefined,
    private readonly setting: ContractSetting,
    private readonly root: string,
  ) {}

  static async open(
    directory: string,
    setting: ContractSetting,
    holdfastVersion: string,
  ): Promise<ContractWorld> {
    const { sources, broken } = await discoverPlugins([directory], holdfastVersion)
    const root = await mkdtemp(join(tmpdir(), 'holdfast-contract-'))
    const [source] = sources
    const problem =
      source === undefined ? (broken[0]?.reason ?? 'there is no plugin.json') : undefined
    return new ContractWorld(directory, source, problem, setting, root)
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }

  /** With the defaults of the schema. Throws a sentence when the schema refuses it. */
  config(): unknown {
    const config: unknown = structuredClone(this.setting.config ?? {})
    const problems = compileSchema(this.manifest().config)(config)
    const [problem] = problems
    if (problem === undefined) return config
    throw new Error(
      `its schema refuses the configuration (put one that it takes into contract.json): ${problem.pointer} ${problem.message}`,
    )
  }

  manifest(): PluginSource['manifest'] {
    if (this.source === undefined) throw new Error(this.problem)
    return this.source.manifest
  }

  async run(setting: { readonly storeFails?: boolean } = {}): Promise<Run> {
    const { source } = this
    if (source === undefined) throw new Error(this.problem)
    const parts = {
      clock: new TestClock(),
      log: new TestLog(),
      store: new TestStore(),
      network: new TestNetwork(),
    }
    if (setting.storeFails === true) {
      parts.store.failure = new HoldfastError('E_STATE_DAMAGED', 'the disk is damaged (test)')
    }
    const services = await this.services(parts)
    const statuses: PluginStatus[] = []
    const set = new PluginSet({
      clock: systemClock,
      load: (one) => (one === standIn ? Promise.resolve(standInPlugin()) : loadTrusted(one)),
      services: () => services,
      onStatus: (status) => statuses.push(status),
    })
    const config = this.config()
    return {
      ...parts,
      statuses,
      start: () =>
        set.apply([
          ...(needsTopology(source) ? [{ source: standIn, config: {} }] : []),
          { source, config },
        ]),
      stop: () => set.stop(),
      checkers: () => set.contributionsOf(checker),
      contributed: (id) => [...set.contributionsOf(point(id)).keys()],
    }
  }

  private async services(
    parts: Pick<Run, 'clock' | 'log' | 'store' | 'network'>,
  ): Promise<ReadonlyMap<string, unknown>> {
    const root = await mkdtemp(join(this.root, 'run-'))
    const directories = {
      package: join(root, 'package'),
      state: join(root, 'state'),
      run: join(root, 'run'),
      logs: join(root, 'logs'),
    }
    for (const path of Object.values(directories)) await mkdir(path)
    const nodes = ['n1', 'n2']
    const nothing = { state: () => undefined, watch: () => () => undefined }
    return new Map<string, unknown>([
      // A process of its own lives in real time.
      [clock.id, this.manifest().process === true ? systemClock : parts.clock],
      [log.id, parts.log],
      [store.id, parts.store],
      [exec.id, quietExec()],
      [peers.id, parts.network.node('n1')],
      [moduleContext.id, { name: 'test', id: 1, node: 'n1', nodes, directories, configDigest: '' }],
      [modules.id, nothing],
      [liveness.id, { alive: () => Promise.resolve() }],
      [control.id, { ...nothing, version: '0.1.0' }],
      ...Object.entries(this.setting.provided ?? {}),
    ])
  }
}

/** The topology of the module, for plugins that follow one. */
const standIn: PluginSource = {
  directory: '/',
  trust: { kind: 'builtin' },
  manifest: {
    ...{ id: 'contract-topology', version: '1.0.0', engines: { holdfast: '*' }, entry: 'none.js' },
    ...{ scope: 'module', platforms: ['linux'], needs: [], provides: [], requires: {} },
    ...{ contributes: [topology.id], conflicts: [], capabilities: [], config: {} },
    ...{ startTimeoutMs: 1_000, stopTimeoutMs: 1_000 },
  },
}

function standInPlugin(): Awaited<ReturnType<typeof loadTrusted>> {
  const definition = definePlugin({
    needs: {},
    activate: (_deps, _config, scope) => {
      scope.contribute(topology, 'contract-topology', testTopology())
    },
  })
  return { definition, check: undefined }
}

function needsTopology({ manifest }: PluginSource): boolean {
  return manifest.needs.some((need) => need.replace(/[?*]$/, '') === topology.id)
}

/** Every command works and finds nothing: an empty list in JSON. */
function quietExec(): TestExec {
  const quiet = new TestExec()
  quiet.answer = () => ({ stdout: '[]' })
  return quiet
}
