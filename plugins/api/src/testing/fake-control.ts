/** A control that runs nothing: tests set its states, and read what it was told. */
import {
  type Cancel,
  type ClusterView,
  type Command,
  type CommandResult,
  type CommandView,
  type ConfigReport,
  type Control,
  type ControlEvent,
  HoldfastError,
  type InstallReport,
  type LogEntry,
  type LogLevel,
  type ModuleState,
  type ModuleView,
  type PackageQuestion,
  type PackageView,
  type RolloutView,
  type UpgradeReport,
  type PluginArchive,
  type PluginsReport,
  type PluginView,
  type TrustedKeyView,
} from '@holdfast/sdk'

export interface Told {
  readonly method: string
  readonly request: unknown
}

export function moduleStateOf(
  role: ModuleState['role'],
  sub: ModuleState['sub'],
  more: Partial<ModuleState> = {},
): ModuleState {
  return {
    role,
    sub,
    detail: undefined,
    cause: 'a test says so',
    hint: undefined,
    sinceMs: Date.now(),
    generation: undefined,
    progress: undefined,
    remote: undefined,
    ...more,
  }
}

/** The archive of the plugin `id`, for tests: its data is its id. */
function pluginViewOf(data: string): PluginView {
  return {
    id: Buffer.from(data, 'base64').toString().trim(),
    version: '1.0.0',
    scope: 'module',
    trust: 'signed',
    signedBy: 'acme',
    process: false,
    enabled: true,
    capabilities: ['net.connect'],
    elements: ['<check><redis>'],
    requires: { failover: '^0.1.0' },
    usedBy: [],
    failure: undefined,
  }
}

export class FakeControl implements Control {
  readonly version = '0.1.0'
  readonly told: Told[] = []
  rolloutHalts = false
  /** What is different in the report of an upgrade. */
  upgraded: Partial<UpgradeReport> = {}
  /** What happens after an order was accepted. */
  onCommand: (name: string, command: string) => void = () => undefined
  /** What is different in the package that is asked about; it may throw. */
  onInspect: (question: PackageQuestion) => Partial<PackageView> = () => ({})
  /** What the plugins of each module offer. */
  readonly commands = new Map<string, Command>()
  readonly #self: string | undefined
  readonly #names: readonly string[]
  readonly #modules = new Map<string, ModuleView>()
  readonly #entries: LogEntry[] = []
  readonly #watchers = new Set<(event: ControlEvent) => void>()

  constructor(self: string | undefined, names: readonly string[]) {
    this.#self = self
    this.#names = names
  }

  get watchers(): number {
    return this.#watchers.size
  }

  addModule(name: string, state: ModuleState | undefined): void {
    const configured = state !== undefined
    const { id, title, version } = {
      id: this.#modules.size + 1,
      title: `Module ${name}`,
      version: '1.0.0',
    }
    const nodes = configured ? this.#names : []
    this.#modules.set(name, {
      name,
      id,
      title,
      version,
      configured,
      nodes,
      state,
      failure: undefined,
    })
  }

  become(name: string, state: ModuleState): void {
    this.#modules.set(name, { ...this.module(name), state })
    this.#tell({ kind: 'moduleState', module: name, state })
  }

  append(level: LogLevel, event: string, module: string | undefined, text: string): void {
    const sequence = this.#entries.length + 1
    const entry = {
      sequence,
      atMs: Date.now(),
      level,
      module,
      plugin: 'mirror',
      event,
      fields: { text },
    }
    this.#entries.push(entry)
    this.#tell({ kind: 'logged', entry })
  }

  cluster(): ClusterView {
    const lans = [{ lan: 'default', heardMsAgo: 120, up: true, address: '10.0.0.1' }]
    const nodes = this.#names.map((node) => ({ node, connected: true, version: '0.1.0', lans }))
    const cluster = this.#self === undefined ? undefined : 'cluster-1'
    return {
      cluster,
      self: this.#self,
      version: '0.1.0',
      revision: nodes.length > 0 ? 1 : 0,
      nodes,
    }
  }

  clusterXml(): string {
    return '<cluster/>'
  }

  clusterInit(request: unknown): Promise<ClusterView> {
    return this.#note('clusterInit', request, this.cluster())
  }

  clusterInvite(request: unknown): Promise<{ token: string; expiresMs: number }> {
    return this.#note('clusterInvite', request, { token: 'HF1-abc', expiresMs: 1_900_000_000_000 })
  }

  clusterJoin(request: { readonly token: string }): Promise<ClusterView> {
    if (request.token === 'HF1-old') {
      const options = { hint: 'make a new one: holdfast cluster invite' }
      return Promise.reject(new HoldfastError('E_CLUSTER_TOKEN', 'the token has expired', options))
    }
    return this.#note('clusterJoin', request, this.cluster())
  }

  clusterConfig(request: unknown): Promise<ClusterView> {
    return this.#note('clusterConfig', request, this.cluster())
  }

  clusterRemove(request: unknown): Promise<ClusterView> {
    return this.#note('clusterRemove', request, this.cluster())
  }

  modules(): readonly ModuleView[] {
    return [...this.#modules.values()]
  }

  module(name: string): ModuleView {
    const found = this.#modules.get(name)
    if (found !== undefined) return found
    throw new HoldfastError('E_MODULE_UNKNOWN', `there is no module "${name}"`, {
      hint: 'holdfast module list shows the modules of this node',
    })
  }

  async moduleInstall(request: Parameters<Control['moduleInstall']>[0]): Promise<InstallReport> {
    this.addModule(request.name, undefined)
    const notes = ['the archive is not signed']
    return this.#note('moduleInstall', request, { ...this.module(request.name), notes })
  }

  moduleUpgrade(request: Parameters<Control['moduleUpgrade']>[0]): Promise<UpgradeReport> {
    const { version } = this.module(request.name)
    const files = { taken: ['bin/start_prim'], conflicts: ['bin/stop_prim'], notes: [] }
    const report = { from: version, to: '9.0.0', ...files, ...this.upgraded }
    return this.#note('moduleUpgrade', request, report)
  }

  moduleRollback(request: Parameters<Control['moduleRollback']>[0]): Promise<UpgradeReport> {
    const { version } = this.module(request.name)
    const report = { from: '9.0.0', to: version, taken: [], conflicts: [], notes: [] }
    return this.#note('moduleRollback', request, report)
  }

  moduleRollout(request: Parameters<Control['moduleRollout']>[0]): Promise<RolloutView> {
    const { nodes, version } = this.module(request.name)
    const halted = { state: 'halted', reason: 'n2 fell', hint: 'back' } as const
    const done = { state: 'done', reason: undefined, hint: undefined } as const
    return this.#note('moduleRollout', request, {
      ...{ module: request.name, way: request.stop === true ? 'stop' : 'rolling' },
      ...{ from: version, to: '9.0.0', doing: undefined, warnings: [] },
      steps: [{ what: 'stop', nodes: ['n2'] }],
      nodes: nodes.map((node) => ({ node, version: '9.0.0', role: 'SECOND', isNew: true })),
      ...(this.rolloutHalts ? halted : done),
    })
  }

  moduleRolloutView(name: string): Promise<RolloutView> {
    return this.moduleRollout({ name })
  }

  modulePackage(name: string): Promise<PackageView> {
    return this.packageInspect({ path: this.module(name).name })
  }

  async packageInspect(question: PackageQuestion): Promise<PackageView> {
    const { path } = question
    const port = { name: 'PORT', type: 'integer', title: 'TCP port' } as const
    return await Promise.resolve({
      ...{ id: path, version: '1.0.0', title: path, description: undefined },
      ...{ platforms: ['linux'], requires: {}, files: ['bin/start_prim'] },
      parameters: [{ ...port, description: undefined, required: true, value: '80' }],
      ...{ from: undefined, signedBy: 'acme', vouched: undefined, changed: [], notes: [] },
      ...this.onInspect(question),
    })
  }

  signerOf(): Promise<string | undefined> {
    return Promise.resolve(undefined)
  }

  moduleConfig(request: { readonly name: string }): Promise<ConfigReport> {
    this.module(request.name)
    this.addModule(request.name, moduleStateOf('STOP', 'NotReady'))
    const warnings = ['conf/userconfig.xml:3:5: no virtual IP']
    return this.#note('moduleConfig', request, { nodes: this.#names, warnings })
  }

  moduleDeconfig(request: { readonly name: string }): Promise<ConfigReport> {
    this.module(request.name)
    this.addModule(request.name, undefined)
    return this.#note('moduleDeconfig', request, { nodes: this.#names, warnings: [] })
  }

  async moduleUninstall(request: { readonly name: string }): Promise<void> {
    this.module(request.name)
    this.#modules.delete(request.name)
    await this.#note('moduleUninstall', request, undefined)
  }

  async moduleCommand(request: { readonly name: string; readonly command: string }): Promise<void> {
    const { state } = this.module(request.name)
    if (request.command === 'swap' && state?.role !== 'PRIM') {
      throw new HoldfastError('E_MIRROR_STATE', 'swap needs a PRIM and a SECOND', {
        hint: 'holdfast state shows where they are',
      })
    }
    await this.#note('moduleCommand', request, undefined)
    this.onCommand(request.name, request.command)
  }

  moduleCommands(name: string): readonly CommandView[] {
    this.module(name)
    return [...this.commands].map(([words, { summary, parameters, positional }]) => ({
      ...{ words, summary, parameters, positional },
    }))
  }

  async moduleRun(
    request: Parameters<Control['moduleRun']>[0],
    signal: AbortSignal,
  ): Promise<CommandResult> {
    this.module(request.name)
    const found = this.commands.get(request.command)
    if (found === undefined)
      throw new HoldfastError('E_COMMAND_UNKNOWN', 'there is no such command')
    await this.#note('moduleRun', request, undefined)
    return await found.run(request.parameters as Record<string, string>, signal) // The test's own.
  }

  readonly installed: PluginView[] = []

  plugins(): Promise<readonly PluginView[]> {
    return Promise.resolve(this.installed)
  }

  pluginInspect(archive: PluginArchive): Promise<PluginView> {
    if ('data' in archive) return Promise.resolve(pluginViewOf(archive.data))
    return Promise.reject(new HoldfastError('E_PACKAGE_INVALID', 'no such file'))
  }

  async pluginInstall(
    archive: PluginArchive,
    capabilities: readonly string[],
  ): Promise<PluginView> {
    const view = await this.pluginInspect(archive)
    this.installed.push(view)
    return await this.#note('pluginInstall', { id: view.id, capabilities }, view)
  }

  pluginRemove(request: unknown): Promise<void> {
    return this.#note('pluginRemove', request, undefined)
  }

  pluginEnable(request: unknown): Promise<void> {
    return this.#note('pluginEnable', request, undefined)
  }

  pluginDoctor(): Promise<PluginsReport> {
    const plugins = [{ id: 'api', version: '0.1.0', state: 'active', after: [], startedMs: 3 }].map(
      (one) => ({ ...one, failure: undefined }),
    )
    const idle = [{ id: 'vip', version: '0.1.0', reason: 'no module has <vip>' }]
    return Promise.resolve({ sets: [{ module: undefined, failure: undefined, plugins }], idle })
  }

  trusted(): Promise<readonly TrustedKeyView[]> {
    return Promise.resolve([{ id: '0123456789abcdef', name: 'acme' }])
  }

  trustAdd(request: { readonly name: string }): Promise<TrustedKeyView> {
    return this.#note('trustAdd', request, { id: '0123456789abcdef', name: request.name })
  }

  trustRemove(request: { readonly name: string }): Promise<TrustedKeyView> {
    return this.#note('trustRemove', request, { id: '0123456789abcdef', name: request.name })
  }

  log(filter: {
    readonly module?: string
    readonly afterSequence?: number
    readonly limit: number
    readonly verbose: boolean
  }): readonly LogEntry[] {
    const fits = (entry: LogEntry) =>
      (filter.module === undefined || entry.module === filter.module) &&
      entry.sequence > (filter.afterSequence ?? 0) &&
      (filter.verbose || !['info', 'debug'].includes(entry.level))
    return this.#entries.filter(fits).slice(-filter.limit)
  }

  watch(on: (event: ControlEvent) => void): Cancel {
    this.#watchers.add(on)
    return () => this.#watchers.delete(on)
  }

  #note<T>(method: string, request: unknown, answer: T): Promise<T> {
    this.told.push({ method, request })
    return Promise.resolve(answer)
  }

  #tell(event: ControlEvent): void {
    for (const watcher of [...this.#watchers]) watcher(event)
  }
}
