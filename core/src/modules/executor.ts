/** What an order about a module does on this node: verify, stage, apply, discard. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { HoldfastError } from '@holdfast/sdk'
import type { PluginLoader } from '../kernel/loader.js'
import { at } from '../xml/document.js'
import { type Finding, invalid } from '../xml/bind.js'
import { commitApplied, readApplied, stageApplied, writeSources } from './applied.js'
import { type CheckContext, checkPlan } from './check.js'
import { changedPlugins, checkableBeside, inseparable, standstill } from './difference.js'
import type { Identities } from './identities.js'
import type { ModuleInstance } from './instance.js'
import { layoutOf, type ModuleLayout } from './layout.js'
import { manifestOf } from '../packages/manifest.js'
import { digestOf, exists, fileOf, type ModulePackage, readPackage } from '../packages/package.js'
import { parameterFindings } from '../packages/parameters.js'
import { type OrderExecutor, removeTree } from './participant.js'
import { type ModulePlan, planModule } from './plan.js'
import type { ModuleOrder, Prepared } from './protocol.js'
import { type CoreServices, installedFor } from './services.js'
import { parseUserConfig } from './userconfig.js'
import type { Directories } from '../files/directories.js'
import type { Choice, PluginCatalog } from '../plugins/catalog.js'

export interface ExecutorOptions {
  readonly directories: Directories
  readonly core: CoreServices
  readonly plugins: Pick<PluginCatalog, 'choose'>
  readonly load: PluginLoader
  readonly identities: Identities
  readonly instance: (name: string) => ModuleInstance | undefined
  /** The names of all modules that are configured on this node. */
  readonly names: () => readonly string[]
  /** The id of the rollout of this module that this node leads at the moment. */
  readonly rollout: (name: string) => string | undefined
  /** A new configuration is in force, or (deconfig) none any more. */
  readonly onApplied: (name: string) => Promise<void>
  /** Stops the plugins of a module whose configuration goes. */
  readonly onRemoving: (name: string) => Promise<void>
}

export class ModuleExecutor implements OrderExecutor {
  constructor(private readonly options: ExecutorOptions) {}

  async verify(order: ModuleOrder, sources: ModulePackage | undefined): Promise<Prepared> {
    const refusals = this.refusals(order)
    if (refusals.length > 0 || order.kind !== 'config') return { findings: refusals, warnings: [] }
    if (sources === undefined || digestOf(sources) !== order.digest) {
      throw new HoldfastError('E_PROTOCOL', `module ${order.name}: the package arrived damaged`)
    }
    return await this.verifyConfig(order, sources)
  }

  async stage(order: ModuleOrder, sources: ModulePackage | undefined): Promise<void> {
    if (order.kind !== 'config' || sources === undefined) return
    await this.options.identities.reserve(order.name, order.id)
    await stageApplied(this.layout(order), order, sources)
  }

  async apply(order: ModuleOrder): Promise<void> {
    const layout = this.layout(order)
    if (order.kind === 'config') {
      await commitApplied(layout)
      await this.updateSources(order, layout)
      await this.options.onApplied(order.name)
      return
    }
    await this.options.onRemoving(order.name)
    await removeTree(layout.run)
    await removeTree(layout.applied)
    if (order.kind === 'deconfig') await removeTree(layout.state)
    else {
      await removeTree(layout.home)
      await removeTree(layout.sources)
      await this.options.identities.release(order.name)
    }
    await this.options.onApplied(order.name)
  }

  async discard(order: ModuleOrder): Promise<void> {
    await removeTree(this.layout(order).staged)
  }

  private refusals(order: ModuleOrder): string[] {
    const { name, id } = order
    const instance = this.options.instance(name)
    const rollout = this.options.rollout(name)
    if (rollout !== undefined && rollout !== order.rollout?.id) {
      return [`module ${name} is being changed node by node: wait for its end`]
    }
    if (order.kind === 'uninstall') {
      if (instance?.current === undefined) return []
      return [`module ${name} is configured: deconfigure it first`]
    }
    const state = instance?.state()
    if (order.kind === 'deconfig' && state !== undefined && state.role !== 'STOP') {
      return [`module ${name} is ${state.role}: stop it first`]
    }
    // Its plugins failed, its application may run on: a new configuration is the way back, removing it is not.
    const lastRole = instance?.lastRole() ?? 'STOP'
    if (order.kind === 'deconfig' && lastRole !== 'STOP') {
      const failure = instance?.failure?.reason ?? 'its plugins do not run'
      return [
        `module ${name} was ${lastRole} when it failed (${failure}): correct it, then stop it`,
      ]
    }
    const present = this.options.identities.of(name)
    if (present !== undefined && present !== id) {
      return [`module ${name} has the number ${String(present)} here, not ${String(id)}`]
    }
    return []
  }

  private async verifyConfig(order: ModuleOrder, sources: ModulePackage): Promise<Prepared> {
    const { core, load, plugins } = this.options
    const choice = plugins.choose(order.plugins ?? {})
    const place = (finding: Finding): string => `${at(order.file, finding)}${finding.message}`
    try {
      const xml = fileOf(sources, 'conf/userconfig.xml') ?? ''
      const { service } = parseUserConfig(xml, order.file)
      const values = parameterFindings(xml, manifestOf(sources, order.name), order.file)
      if (values.length > 0) throw invalid(order.file, values)
      const missing = missingPlugins(order, choice)
      if (missing.length > 0) return { findings: missing, warnings: [] }
      const result = planModule(service, installedFor('module', choice))
      if (!result.ok) throw invalid(order.file, result.findings)
      const fixed = await this.fixedWhileRunning(order, sources, result.plan)
      if (fixed.length > 0) return { findings: fixed, warnings: [] }
      // The checks look at files (are scripts executable?): they see what would be applied.
      await stageApplied(this.layout(order), order, sources)
      const others = await this.otherConfigs(order.name)
      const checked = await checkPlan(result.plan, {
        asked: await this.toCheck(order, result.plan),
        ...{ file: order.file, clock: core.clock, load, sources: choice.sources },
        contextFor: (plugin) => this.context(order, others.get(plugin) ?? []),
      })
      const findings = [...checked.findings].sort((a, b) => a.line - b.line || a.column - b.column)
      return { findings: findings.map(place), warnings: checked.warnings }
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      return { findings: thrown.message.split('\n'), warnings: [] }
    }
  }

  private async toCheck(order: ModuleOrder, next: ModulePlan): Promise<ModulePlan> {
    const role = this.options.instance(order.name)?.state()?.role ?? 'STOP'
    const current = role === 'STOP' ? undefined : await this.appliedPlan(order.name)
    if (current === undefined) return next
    return order.rollout === undefined
      ? changedPlugins(current, next)
      : checkableBeside(current, next)
  }

  /** A module that runs keeps its application: what concerns that waits until it is stopped. */
  private async fixedWhileRunning(
    order: ModuleOrder,
    sources: ModulePackage,
    next: ModulePlan,
  ): Promise<readonly string[]> {
    if (order.rollout !== undefined) return await this.inseparable(order, next)
    const instance = this.options.instance(order.name)
    const role = instance?.state()?.role ?? 'STOP'
    if (role === 'STOP') return []
    const end = `module ${order.name} is ${role}: stop it first`
    const current = await this.appliedPlan(order.name)
    if (current === undefined || !isDeepStrictEqual(instance?.current?.nodes, order.nodes)) {
      return [end]
    }
    const applied = await readPackage(join(this.layout(order).applied, 'package'))
    const changed = changedFiles(applied, sources).map((path) => `${path} can't change: ${end}`)
    const findings = standstill(current, next, end)
    return [...changed, ...findings.map((one) => `${at(order.file, one)}${one.message}`)]
  }

  /** A rollout changes this node while it stands still, and the others go on. */
  private async inseparable(order: ModuleOrder, next: ModulePlan): Promise<readonly string[]> {
    if (order.rollout?.way !== 'rolling') return []
    const end = `module ${order.name} must stop on all nodes for that (--stop)`
    const current = await this.appliedPlan(order.name)
    const nodes = this.options.instance(order.name)?.current?.nodes
    if (current === undefined || !isDeepStrictEqual(nodes, order.nodes)) return [end]
    const findings = inseparable(current, next, end)
    return findings.map((one) => `${at(order.file, one)}${one.message}`)
  }

  private context(
    order: ModuleOrder,
    others: CheckContext['others'],
  ): Omit<CheckContext, 'delays' | 'contributed'> {
    const layout = this.layout(order)
    const { core } = this.options
    return {
      name: order.name,
      id: order.id,
      node: core.self(),
      nodes: order.nodes,
      configDigest: order.digest,
      directories: {
        package: join(layout.staged, 'package'),
        state: layout.state,
        run: layout.run,
        logs: layout.logs,
      },
      exec: core.exec,
      others,
    }
  }

  /** Plugin id → its configurations in the other modules of this node. */
  private async otherConfigs(name: string): Promise<ReadonlyMap<string, CheckContext['others']>> {
    const found = new Map<string, { module: string; config: unknown }[]>()
    for (const module of this.options.names().filter((other) => other !== name)) {
      const plan = await this.appliedPlan(module)
      for (const { manifest, config } of plan?.plugins ?? []) {
        found.set(manifest.id, [...(found.get(manifest.id) ?? []), { module, config }])
      }
    }
    return found
  }

  /** Undefined when it is not configured, or its plugins are no longer there: then it does not run either. */
  private async appliedPlan(name: string): Promise<ModulePlan | undefined> {
    const { plugins, directories } = this.options
    const applied = await readApplied(layoutOf(directories, name))
    if (applied === undefined) return undefined
    const { service } = parseUserConfig(applied.userConfig, applied.file)
    const choice = plugins.choose(applied.plugins ?? {})
    const result = planModule(service, installedFor('module', choice))
    return result.ok ? result.plan : undefined
  }

  private async updateSources(order: ModuleOrder, layout: ModuleLayout): Promise<void> {
    // They came from here, and the operator may have gone on with his work since.
    if (order.rollout?.leader === this.options.core.self()) return
    const applied = await readPackage(join(layout.applied, 'package'))
    const isSame =
      (await exists(layout.sources)) && digestOf(await readPackage(layout.sources)) === order.digest
    if (!isSame) await writeSources(layout, applied)
  }

  private layout(order: ModuleOrder): ModuleLayout {
    return layoutOf(this.options.directories, order.name)
  }
}

/** Files that an application may use: scripts and what they read. What lies beside the configuration is description. */
function changedFiles(before: ModulePackage, after: ModulePackage): readonly string[] {
  const digests = ({ files }: ModulePackage): ReadonlyMap<string, string> =>
    new Map(
      files
        .filter(({ path }) => path.includes('/') && path !== 'conf/userconfig.xml')
        .map(({ path, isExecutable, data }) => [
          path,
          `${String(isExecutable)} ${createHash('sha256').update(data).digest('hex')}`,
        ]),
    )
  const [old, fresh] = [digests(before), digests(after)]
  const paths = [...new Set([...old.keys(), ...fresh.keys()])].sort()
  return paths.filter((path) => old.get(path) !== fresh.get(path))
}

/** Said before anything else: the elements of a plugin that is not here would only be unknown. */
function missingPlugins(order: ModuleOrder, choice: Choice): readonly string[] {
  const present = new Set(choice.sources.map(({ manifest }) => manifest.id))
  return Object.keys(order.plugins ?? {})
    .filter((id) => !present.has(id))
    .map((id) => `plugin ${id} can't be used: ${choice.broken.get(id) ?? 'it is not installed'}`)
}
