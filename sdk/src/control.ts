/** What a node can be told to do, for whoever offers it to people: the API plugin, later the console. */
import type { Command, CommandResult } from './command.js'
import type {
  InstallReport,
  PackageQuestion,
  PackageSource,
  PackageView,
  UpgradeReport,
} from './packages.js'
import type { PluginArchive, PluginsReport, PluginView, TrustedKeyView } from './plugins.js'
import type { RolloutView } from './rollout.js'
import type { Cancel, LanState, LogLevel } from './services.js'
import { token } from './token.js'
import type { CommandOptions, ModuleState, OperatorCommand } from './topology.js'

export interface NodeView {
  readonly node: string
  readonly connected: boolean
  readonly version: string | undefined
  readonly lans: readonly (LanState & { readonly address: string })[]
}

export interface ClusterView {
  /** Undefined: this node belongs to no cluster yet. */
  readonly cluster: string | undefined
  readonly self: string | undefined
  readonly version: string
  /** Increases with each applied configuration. */
  readonly revision: number
  readonly nodes: readonly NodeView[]
}

export interface ModuleView {
  readonly name: string
  readonly id: number | undefined
  readonly title: string
  readonly version: string
  readonly configured: boolean
  readonly nodes: readonly string[]
  /** Undefined: not configured, or its plugins did not start (then `failure` says why). */
  readonly state: ModuleState | undefined
  readonly failure: { readonly code: string; readonly reason: string } | undefined
  /** What else the operator should see, one sentence each. Absent: a node of an older version says this. */
  readonly remarks?: readonly string[]
}

export interface LogEntry {
  /** Increases by one for each entry of this node. */
  readonly sequence: number
  readonly atMs: number
  readonly level: LogLevel
  readonly module: string | undefined
  readonly plugin: string | undefined
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export type ControlEvent =
  | { readonly kind: 'moduleState'; readonly module: string; readonly state: ModuleState }
  | { readonly kind: 'clusterState'; readonly cluster: ClusterView }
  | { readonly kind: 'logged'; readonly entry: LogEntry }

/** What `config` found that is not an error but should be read. */
export interface ConfigReport {
  readonly nodes: readonly string[]
  readonly warnings: readonly string[]
}

/** A command of a module, without its code. */
export interface CommandView extends Omit<Command, 'run'> {
  /** As it is typed: `failover explain`. */
  readonly words: string
}

/**
 * Every method validates first and changes nothing when it refuses: it rejects with HoldfastError, whose message
 * says where and what, and whose hint says what to do. What concerns several nodes happens on all or on none.
 */
export interface Control {
  readonly version: string
  cluster(): ClusterView
  clusterXml(): string
  /** First node of a new cluster: makes its keys and certificate authority, applies `xml`. */
  clusterInit(request: { readonly xml: string; readonly node: string }): Promise<ClusterView>
  /** A one-time token for one node named in the cluster's configuration. */
  clusterInvite(request: {
    readonly node: string
    readonly ttlMs: number
  }): Promise<{ readonly token: string; readonly expiresMs: number }>
  /** Contacts the inviting node, receives certificate and configuration, and becomes a member. */
  clusterJoin(request: { readonly token: string }): Promise<ClusterView>
  clusterConfig(request: { readonly xml: string }): Promise<ClusterView>
  /** Applies the configuration without `node`. Refused while a module is configured there and the node can be reached. */
  clusterRemove(request: { readonly node: string }): Promise<ClusterView>

  modules(): readonly ModuleView[]
  module(name: string): ModuleView
  /** Copies a module's sources (a directory, or a `.safe` archive) into the editable place; never starts anything. */
  moduleInstall(request: PackageSource & { readonly name: string }): Promise<InstallReport>
  /** Merges another version into the editable sources; what was changed by hand is kept and told. Starts nothing. */
  moduleUpgrade(request: PackageSource & { readonly name: string }): Promise<UpgradeReport>
  /** The sources as they were before the last upgrade; once more undoes the rollback. */
  moduleRollback(request: { readonly name: string }): Promise<UpgradeReport>
  /** The package of an installed module with the present values of its parameters. */
  modulePackage(name: string): Promise<PackageView>
  /**
   * The same of a file or directory of this node, which is only read. Rejects as the order that the question names would,
   * but for plugins that are not here yet: whoever brings those asks first.
   */
  packageInspect(question: PackageQuestion): Promise<PackageView>
  /** The name of the trusted key that signed `content` as what it is said to be; undefined: no trusted key did. */
  signerOf(request: {
    readonly what: 'plugin' | 'module' | 'index'
    readonly content: Uint8Array
    readonly signature: string
  }): Promise<string | undefined>
  /** Validates the editable sources and applies them on all nodes of the module, or on none. */
  moduleConfig(request: {
    readonly name: string
    readonly nodes?: readonly string[]
    /** Plugin id → the version to which the module moves, or `newest`. All others stay as they are. */
    readonly plugins?: Readonly<Record<string, string>>
  }): Promise<ConfigReport>
  /**
   * Begins to apply the editable sources while the module runs: beside the running role when that is possible, else
   * node by node; with `stop`, all nodes stand still meanwhile if nothing else is possible. Validates on all nodes first.
   */
  moduleRollout(request: {
    readonly name: string
    readonly stop?: boolean
    readonly plugins?: Readonly<Record<string, string>>
  }): Promise<RolloutView>
  /** The last rollout that this node led; rejects when there was none. */
  moduleRolloutView(name: string): Promise<RolloutView>
  moduleDeconfig(request: { readonly name: string }): Promise<ConfigReport>
  moduleUninstall(request: { readonly name: string }): Promise<void>
  /** Returns when the order is accepted. */
  moduleCommand(request: {
    readonly name: string
    readonly command: OperatorCommand
    readonly options: CommandOptions
  }): Promise<void>

  /** What the plugins of a configured module offer beyond orders, sorted by words. */
  moduleCommands(name: string): readonly CommandView[]
  /** Returns when the command has ended, 10 minutes at most. Rejects with its time-out after that. */
  moduleRun(
    request: {
      readonly name: string
      /** The words of the command. */
      readonly command: string
      readonly parameters: Readonly<Record<string, unknown>>
    },
    signal: AbortSignal,
  ): Promise<CommandResult>

  plugins(): Promise<readonly PluginView[]>
  /** What an archive is, before it is installed. Writes nothing. */
  pluginInspect(archive: PluginArchive): Promise<PluginView>
  /**
   * Installs on this node; no module moves to it before it is configured so. `capabilities` are those that the operator
   * has seen: the archive must ask for no other.
   */
  pluginInstall(archive: PluginArchive, capabilities: readonly string[]): Promise<PluginView>
  /** Refused while a module uses this version. */
  pluginRemove(request: { readonly id: string; readonly version: string }): Promise<void>
  /** A disabled plugin is as if it were not installed. Refused while a module uses it. */
  pluginEnable(request: { readonly id: string; readonly enabled: boolean }): Promise<void>
  pluginDoctor(): Promise<PluginsReport>

  trusted(): Promise<readonly TrustedKeyView[]>
  /** `pem`: an ed25519 public key. Counts for plugins from the next installation, and from the next start of the daemon. */
  trustAdd(request: { readonly name: string; readonly pem: string }): Promise<TrustedKeyView>
  trustRemove(request: { readonly name: string }): Promise<TrustedKeyView>

  /** The newest `limit` entries, oldest first. */
  log(filter: {
    readonly module?: string
    readonly afterSequence?: number
    readonly limit: number
    readonly verbose: boolean
  }): readonly LogEntry[]
  watch(on: (event: ControlEvent) => void): Cancel
}

export const control = token<Control>('core.control')
