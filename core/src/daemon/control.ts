/** The sdk's Control: what this node can be told to do, and what it tells. Puts cluster, modules and log together. */
import type {
  Cancel,
  ClusterView,
  CommandResult,
  CommandView,
  ConfigReport,
  Control,
  ControlEvent,
  InstallReport,
  LogEntry,
  ModuleState,
  ModuleView,
  PackageQuestion,
  PackageView,
  RolloutView,
  UpgradeReport,
  PluginArchive,
  PluginsReport,
  PluginView,
  TrustedKeyView,
} from '@holdfast/sdk'
import type { EventLog } from '../log/event-log.js'
import type { Modules } from '../modules/modules.js'
import type { PluginService } from '../plugins/service.js'
import type { TrustedKeys } from '../trust/keyring.js'

/** The part of the cluster's service that operators reach. */
export interface ClusterControl {
  view(): ClusterView
  xml(): string
  init(request: { readonly xml: string; readonly node: string }): Promise<ClusterView>
  invite(request: {
    readonly node: string
    readonly ttlMs: number
  }): Promise<{ readonly token: string; readonly expiresMs: number }>
  join(request: { readonly token: string }): Promise<ClusterView>
  configure(request: { readonly xml: string }): Promise<ClusterView>
  remove(request: { readonly node: string }): Promise<ClusterView>
  onChange(on: () => void): Cancel
}

export class NodeControl implements Control {
  private readonly watchers = new Set<(event: ControlEvent) => void>()

  constructor(
    readonly version: string,
    private readonly parts: {
      readonly cluster: ClusterControl
      readonly modules: Modules
      readonly plugins: PluginService
      readonly keys: TrustedKeys
      readonly log: EventLog
    },
  ) {
    parts.log.watch((entry) => {
      this.tell({ kind: 'logged', entry })
    })
    parts.cluster.onChange(() => {
      this.clusterChanged()
    })
  }

  /** Called when something that the cluster's view shows has changed. */
  clusterChanged(): void {
    this.tell({ kind: 'clusterState', cluster: this.parts.cluster.view() })
  }

  moduleChanged(module: string, state: ModuleState): void {
    this.tell({ kind: 'moduleState', module, state })
  }

  cluster(): ClusterView {
    return this.parts.cluster.view()
  }

  clusterXml(): string {
    return this.parts.cluster.xml()
  }

  clusterInit(request: Parameters<Control['clusterInit']>[0]): Promise<ClusterView> {
    return this.parts.cluster.init(request)
  }

  clusterInvite(
    request: Parameters<Control['clusterInvite']>[0],
  ): ReturnType<Control['clusterInvite']> {
    return this.parts.cluster.invite(request)
  }

  clusterJoin(request: Parameters<Control['clusterJoin']>[0]): Promise<ClusterView> {
    return this.parts.cluster.join(request)
  }

  clusterConfig(request: Parameters<Control['clusterConfig']>[0]): Promise<ClusterView> {
    return this.parts.cluster.configure(request)
  }

  clusterRemove(request: Parameters<Control['clusterRemove']>[0]): Promise<ClusterView> {
    return this.parts.cluster.remove(request)
  }

  modules(): readonly ModuleView[] {
    return this.parts.modules.list()
  }

  module(name: string): ModuleView {
    return this.parts.modules.one(name)
  }

  moduleInstall(request: Parameters<Control['moduleInstall']>[0]): Promise<InstallReport> {
    return this.parts.modules.install(request)
  }

  moduleUpgrade(request: Parameters<Control['moduleUpgrade']>[0]): Promise<UpgradeReport> {
    const { modules } = this.parts
    return modules.editSources(request.name, 'moduleUpgraded', (layout) =>
      modules.installation.upgrade(layout, request),
    )
  }

  moduleRollback({ name }: Parameters<Control['moduleRollback']>[0]): Promise<UpgradeReport> {
    const { modules } = this.parts
    return modules.editSources(name, 'moduleRolledBack', (layout) =>
      modules.installation.rollback(layout),
    )
  }

  modulePackage(name: string): Promise<PackageView> {
    return this.parts.modules.package(name)
  }

  packageInspect(question: PackageQuestion): Promise<PackageView> {
    return this.parts.modules.inspect(question)
  }

  signerOf(request: Parameters<Control['signerOf']>[0]): Promise<string | undefined> {
    return this.parts.modules.installation.signerOf(request)
  }

  moduleConfig(request: Parameters<Control['moduleConfig']>[0]): Promise<ConfigReport> {
    return this.parts.modules.config(request)
  }

  moduleRollout(request: Parameters<Control['moduleRollout']>[0]): Promise<RolloutView> {
    return this.parts.modules.rollout(request)
  }

  moduleRolloutView(name: string): Promise<RolloutView> {
    return this.parts.modules.rolloutView(name)
  }

  moduleDeconfig(request: Parameters<Control['moduleDeconfig']>[0]): Promise<ConfigReport> {
    return this.parts.modules.deconfig(request)
  }

  moduleUninstall(request: Parameters<Control['moduleUninstall']>[0]): Promise<void> {
    return this.parts.modules.uninstall(request)
  }

  moduleCommand(request: Parameters<Control['moduleCommand']>[0]): Promise<void> {
    return this.parts.modules.command(request)
  }

  moduleCommands(name: string): readonly CommandView[] {
    return this.parts.modules.commands(name)
  }

  moduleRun(
    request: Parameters<Control['moduleRun']>[0],
    signal: AbortSignal,
  ): Promise<CommandResult> {
    return this.parts.modules.runCommand(request, signal)
  }

  plugins(): Promise<readonly PluginView[]> {
    return Promise.resolve(this.parts.plugins.list())
  }

  pluginInspect(archive: PluginArchive): Promise<PluginView> {
    return this.parts.plugins.inspect(archive)
  }

  pluginInstall(archive: PluginArchive, capabilities: readonly string[]): Promise<PluginView> {
    return this.parts.plugins.install(archive, capabilities)
  }

  pluginRemove({ id, version }: Parameters<Control['pluginRemove']>[0]): Promise<void> {
    return this.parts.plugins.remove(id, version)
  }

  pluginEnable({ id, enabled }: Parameters<Control['pluginEnable']>[0]): Promise<void> {
    return this.parts.plugins.setEnabled(id, enabled)
  }

  pluginDoctor(): Promise<PluginsReport> {
    return Promise.resolve(this.parts.plugins.doctor())
  }

  trusted(): Promise<readonly TrustedKeyView[]> {
    return this.parts.keys.list()
  }

  trustAdd({ name, pem }: Parameters<Control['trustAdd']>[0]): Promise<TrustedKeyView> {
    return this.parts.keys.add(name, pem)
  }

  trustRemove({ name }: Parameters<Control['trustRemove']>[0]): Promise<TrustedKeyView> {
    return this.parts.keys.remove(name)
  }

  log(filter: Parameters<Control['log']>[0]): readonly LogEntry[] {
    return this.parts.log.read(filter)
  }

  watch(on: (event: ControlEvent) => void): Cancel {
    this.watchers.add(on)
    return () => {
      this.watchers.delete(on)
    }
  }

  private tell(event: ControlEvent): void {
    for (const watcher of this.watchers) watcher(event)
  }
}
