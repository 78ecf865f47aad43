/** All modules of this node: installing, configuring on all nodes or none, running, and what is known about each. */
import { join } from 'node:path'
import {
  type Cancel,
  type CommandOptions,
  type CommandResult,
  type CommandView,
  type ConfigReport,
  type Control,
  HoldfastError,
  type InstallReport,
  type ModuleState,
  type ModuleView,
  type OperatorCommand,
  type PackageQuestion,
  type PackageSource,
  type PackageView,
  type Peers,
  type RolloutView,
  type UpgradeReport,
} from '@holdfast/sdk'
import type { Directories } from '../files/directories.js'
import type { PluginLoader } from '../kernel/loader.js'
import type { PluginCatalog } from '../plugins/catalog.js'
import { Serial } from '../scheduling/serial.js'
import { type ModuleAbout, writeSources } from './applied.js'
import type { ModulePlugins } from './binding.js'
import { runCommand, viewOf } from './commands.js'
import { Configuration } from './configuration.js'
import { Coordinator, decisionFormat } from './coordinator.js'
import { noCluster, unconfigured, unknownModule } from './errors.js'
import { ModuleExecutor } from './executor.js'
import { Identities } from './identities.js'
import { Installation } from './installation.js'
import { ModuleInstance } from './instance.js'
import { layoutOf, type ModuleLayout } from './layout.js'
import { exists } from '../packages/package.js'
import { busy, Participant, pendingFormat } from './participant.js'
import { type Question, questionOf } from './protocol.js'
import { FileRecords } from './records.js'
import { Rollouts, rolloutFormat } from './rollout/rollouts.js'
import { RolloutNodes } from './rollout/standing.js'
import type { CoreServices } from './services.js'
import { Settlement } from './settlement.js'
import { aboutSources, namesIn } from './sources.js'
import { Transfers } from './transfer.js'
import { assertModuleName } from './userconfig.js'

const undecidedCheckMs = 5_000
const operationsMax = 32

export interface ModulesOptions {
  readonly directories: Directories
  readonly core: CoreServices
  readonly plugins: PluginCatalog
  readonly load: PluginLoader
  readonly bootId: string
  /** Of the owner `core/modules`. */
  readonly peers: Peers
  /** All nodes of the cluster, sorted; empty: this node belongs to none. */
  readonly nodes: () => readonly string[]
  readonly onState: (name: string, state: ModuleState) => void
}

export class Modules {
  readonly installation: Installation
  private readonly installed = new Map<string, ModuleAbout>()
  private readonly instances = new Map<string, ModuleInstance>()
  private readonly identities: Identities
  private readonly participant: Participant
  private readonly coordinator: Coordinator
  private readonly settlement: Settlement
  private readonly rolloutNodes: RolloutNodes
  private readonly rollouts: Rollouts
  private readonly configuration: Configuration
  private readonly transfers = new Transfers()
  private readonly serial = new Serial('orders about modules', operationsMax)
  private readonly cancels: Cancel[] = []
  private opening: Promise<void> | undefined
  private isOpen = false
  private readonly layout = (name: string): ModuleLayout => layoutOf(this.options.directories, name)

  constructor(private readonly options: ModulesOptions) {
    const { directories, core, plugins, load, peers } = options
    this.installation = new Installation({ directories, plugins })
    this.identities = new Identities(join(directories.lib, 'modules.json'), peers)
    const executor = new ModuleExecutor({
      ...{ directories, core, load, plugins },
      identities: this.identities,
      instance: (name) => this.instances.get(name),
      names: () => [...this.instances.keys()].sort(),
      rollout: (name) => this.rollouts.active(name)?.id,
      onApplied: (name) => this.refresh(name, false),
      onRemoving: async (name) => {
        await this.instances.get(name)?.close()
        this.instances.delete(name)
        await this.rollouts.forget(name)
      },
    })
    const pending = new FileRecords(join(directories.lib, 'pending'), pendingFormat)
    const decisions = new FileRecords(join(directories.lib, 'decisions'), decisionFormat)
    this.participant = new Participant(pending, executor)
    this.coordinator = new Coordinator(decisions, core.clock, peers, this.participant)
    this.settlement = new Settlement({
      ...{ participant: this.participant, coordinator: this.coordinator, peers },
      nodes: options.nodes,
      onUndecided: ({ coordinator, order }, { message: cause }) => {
        core.log.for(order.name, undefined).write('debug', 'orderUndecided', { coordinator, cause })
      },
    })
    const { coordinator, identities, layout } = this
    this.rolloutNodes = new RolloutNodes({
      ...{ peers, subject: (name) => this.instances.get(name) },
      order: (name, command) =>
        this.command({ name, command, options: { cause: 'the module is upgraded' } }),
    })
    const rolloutNodes = this.rolloutNodes
    this.rollouts = new Rollouts({
      records: new FileRecords(join(directories.lib, 'rollouts'), rolloutFormat),
      ...{ clock: core.clock, nodes: rolloutNodes, layout },
      log: (name) => core.log.for(name, undefined),
      apply: async (order, sources, nodes) => {
        await this.serial.run(() => coordinator.carryOut(order, sources, nodes))
      },
    })
    this.configuration = new Configuration({
      ...{ layout, identities, coordinator, plugins, rollouts: this.rollouts, rolloutNodes },
      nodes: options.nodes,
      current: (name) => this.instances.get(name)?.current,
      failure: (name) => this.instances.get(name)?.failure,
      unknown: (name) => unknownModule(name, this.installed.keys()),
      note: (name, event, fields) => {
        this.note(name, event, fields)
      },
    })
  }

  /** Starts what is configured: adopts what runs, starts what is to start at boot. Needs the cluster's network. */
  open(): Promise<void> {
    this.opening ??= this.openAll()
    return this.opening
  }

  private async openAll(): Promise<void> {
    const { peers, core, directories } = this.options
    await this.identities.open()
    await this.participant.open()
    this.cancels.push(peers.onCall((node, message) => this.answer(node, questionOf(message))))
    await this.settlement.settle()
    const names = new Set([
      ...(await namesIn(join(directories.etc, 'modules'))),
      ...(await namesIn(join(directories.lib, 'modules'))),
    ])
    // Side by side: a module whose plugins hang must not keep the others from being adopted.
    await Promise.all([...names].sort().map((name) => this.refresh(name, true)))
    this.cancels.push(core.clock.every(undecidedCheckMs, () => void this.settlement.settle()))
    this.isOpen = true
    await this.rollouts.open()
  }

  /** Ends the plugins; what runs goes on and is adopted by the next start. */
  async close(): Promise<void> {
    this.rollouts.close()
    for (const cancel of this.cancels.splice(0)) cancel()
    await Promise.all([...this.instances.values()].map((instance) => instance.close()))
  }

  list(): readonly ModuleView[] {
    const names = new Set([...this.installed.keys(), ...this.instances.keys()])
    return [...names].sort().map((name) => this.view(name))
  }

  one(name: string): ModuleView {
    if (!this.installed.has(name) && !this.instances.has(name))
      throw unknownModule(name, this.installed.keys())
    return this.view(name)
  }

  async install(request: PackageSource & { readonly name: string }): Promise<InstallReport> {
    const { name, path, from = path } = request
    assertModuleName(name)
    this.assertCluster()
    return await this.serial.run(async () => {
      const layout = this.layout(name)
      const { sources, notes } = await this.installation.load(name, layout, request)
      await this.identities.assign(name)
      await writeSources(layout, sources)
      await this.refresh(name, false)
      this.note(name, 'moduleInstalled', { from, notes })
      return { ...this.view(name), notes }
    })
  }

  /** Changes the editable sources of an installed module, while no other order about modules is carried out. */
  async editSources(
    name: string,
    event: string,
    edit: (layout: ModuleLayout) => Promise<UpgradeReport>,
  ): Promise<UpgradeReport> {
    this.assertCluster()
    this.one(name)
    return await this.serial.run(async () => {
      const layout = this.layout(name)
      const report = await edit(layout)
      this.installed.set(name, await aboutSources(layout.sources, name))
      this.note(name, event, { ...report })
      return report
    })
  }

  async package(name: string): Promise<PackageView> {
    this.one(name)
    return await this.installation.view(this.layout(name), name)
  }

  /** What an order that the question names would be refused for is told before anything is brought for it. */
  async inspect(question: PackageQuestion): Promise<PackageView> {
    const { path, install, upgrade } = question
    if (install !== undefined) {
      assertModuleName(install)
      this.assertCluster()
      await this.installation.load(install, this.layout(install), question, 'later')
    }
    if (upgrade !== undefined) {
      this.one(upgrade)
      await this.installation.judgeUpgrade(this.layout(upgrade), question)
    }
    return await this.installation.inspect(path)
  }

  async config(request: Parameters<Control['moduleConfig']>[0]): Promise<ConfigReport> {
    assertModuleName(request.name)
    this.assertCluster()
    return await this.serial.run(() => this.configuration.config(request))
  }

  async rollout(request: Parameters<Control['moduleRollout']>[0]): Promise<RolloutView> {
    this.assertCluster()
    this.one(request.name)
    return await this.serial.run(() => this.configuration.rollout(request))
  }

  async rolloutView(name: string): Promise<RolloutView> {
    this.one(name)
    const view = await this.rollouts.view(name)
    if (view !== undefined) return view
    throw new HoldfastError('E_ROLLOUT_NONE', `no rollout of ${name} was led from this node`)
  }

  async deconfig({ name }: { readonly name: string }): Promise<ConfigReport> {
    return await this.serial.run(() => this.configuration.deconfig(name))
  }

  async uninstall({ name }: { readonly name: string }): Promise<void> {
    this.assertCluster()
    this.one(name)
    await this.serial.run(() => this.configuration.uninstall(name))
  }

  async command(request: {
    readonly name: string
    readonly command: OperatorCommand
    readonly options: CommandOptions
  }): Promise<void> {
    const { name, command, options } = request
    // The daemon has just started: its modules are being opened, which is not the same as not being configured.
    await this.opening
    const instance = this.instanceOf(name)
    if (this.participant.isPending(name)) throw busy(name)
    const verdict = await instance.order(command, options)
    if (verdict.ok) return
    const hint = verdict.hint === undefined ? {} : { hint: verdict.hint }
    throw new HoldfastError(verdict.code, verdict.reason, hint)
  }

  stateOf(name: string): ModuleState | undefined {
    return this.instances.get(name)?.state()
  }

  async aliveOf(name: string): Promise<void> {
    await this.instances.get(name)?.alive()
  }

  /** For each configured module: the versions it is bound to, and what became of its plugins. */
  pluginSets(): readonly ModulePlugins[] {
    return [...this.instances].sort().map(([module, instance]) => ({
      module,
      bound: instance.current?.plugins ?? {},
      failure: instance.failure,
      plugins: instance.activity(),
    }))
  }

  commands(name: string): readonly CommandView[] {
    return [...this.instanceOf(name).commands()].map(([words, one]) => viewOf(words, one))
  }

  async runCommand(
    request: Parameters<Control['moduleRun']>[0],
    signal: AbortSignal,
  ): Promise<CommandResult> {
    const { name, command, parameters } = request
    await this.opening
    const found = this.instanceOf(name).commands()
    return await runCommand(found, { command, parameters, signal, clock: this.options.core.clock })
  }

  private async answer(node: string, question: Question): Promise<unknown> {
    switch (question.kind) {
      case 'identities':
        return { ids: this.identities.all() }
      case 'reserve':
        await this.identities.reserve(question.name, question.id)
        return {}
      case 'release':
        await this.identities.release(question.name)
        return {}
      case 'part':
        this.transfers.add(question.transaction, question)
        return {}
      case 'prepare': {
        const { transaction, order } = question
        const sources = order.kind === 'config' ? await this.transfers.take(transaction) : undefined
        return await this.participant.prepare({ transaction, coordinator: node, order }, sources)
      }
      case 'commit':
        await this.participant.decide(question.transaction, 'committed')
        return {}
      case 'abort':
        await this.participant.decide(question.transaction, 'aborted')
        return {}
      case 'outcome':
        return { outcome: await this.coordinator.outcome(question.transaction) }
      case 'standing':
        return this.rolloutNodes.report(question.name)
      case 'command':
        await this.rolloutNodes.obey(question.name, question.command)
        return {}
    }
  }

  /** Makes memory equal to the disk: after start, and after an order was applied. */
  private async refresh(name: string, isDaemonStart: boolean): Promise<void> {
    const layout = this.layout(name)
    if (await exists(layout.sources)) {
      this.installed.set(name, await aboutSources(layout.sources, name))
    } else this.installed.delete(name)
    const isApplied = (await exists(layout.applied)) || (await exists(`${layout.applied}.old`))
    const instance = this.instances.get(name)
    if (!isApplied) this.instances.delete(name)
    else if (instance !== undefined) await instance.reconfigure()
    else await this.openInstance(name, isDaemonStart)
  }

  private async openInstance(name: string, isDaemonStart: boolean): Promise<void> {
    const { core, plugins, load, bootId, onState } = this.options
    const instance = new ModuleInstance({
      ...{ name, core, load, bootId, plugins, layout: this.layout(name) },
      onState: (state) => {
        onState(name, state)
      },
    })
    this.instances.set(name, instance)
    await instance.open(isDaemonStart)
  }

  /** Throws when there is no such module, or it is not configured. */
  private instanceOf(name: string): ModuleInstance {
    this.one(name)
    const instance = this.instances.get(name)
    if (instance === undefined) throw unconfigured(name)
    return instance
  }

  private view(name: string): ModuleView {
    const instance = this.instances.get(name)
    const applied = instance?.current
    const about = applied?.about ?? this.installed.get(name)
    return {
      name,
      id: this.identities.of(name),
      title: about?.title ?? name,
      version: about?.version ?? '0.0.0',
      configured: instance !== undefined,
      nodes: applied?.nodes ?? [],
      state: instance?.state(),
      failure: instance?.failure,
      remarks: instance?.remarks() ?? [],
    }
  }

  private note(name: string, event: string, fields: Readonly<Record<string, unknown>>): void {
    this.options.core.log.for(name, undefined).write('event', event, fields)
  }

  private assertCluster(): void {
    if (this.isOpen && this.options.nodes().length > 0) return
    throw noCluster()
  }
}
