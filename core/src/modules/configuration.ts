/** Orders that change what is applied on the nodes of a module: config, deconfig, uninstall, and the begin of a rollout. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ConfigReport, type Control, HoldfastError, type RolloutView } from '@holdfast/sdk'
import { digestOf, exists, type ModulePackage, readPackage } from '../packages/package.js'
import type { PluginCatalog } from '../plugins/catalog.js'
import { aboutPackage, type AppliedModule, orderOf } from './applied.js'
import { boundVersions } from './binding.js'
import { chooseNodes } from './choose-nodes.js'
import type { Coordinator, OrderResult } from './coordinator.js'
import { unconfigured } from './errors.js'
import type { Identities } from './identities.js'
import type { ModuleLayout } from './layout.js'
import type { ModuleOrder } from './protocol.js'
import { standsInTheWay } from './rollout/decide.js'
import type { Rollouts } from './rollout/rollouts.js'
import type { RolloutNodes } from './rollout/standing.js'
import type { Rollout, Standing, Way } from './rollout/types.js'

export interface ConfigurationOptions {
  readonly layout: (name: string) => ModuleLayout
  readonly identities: Identities
  readonly coordinator: Coordinator
  readonly plugins: Pick<PluginCatalog, 'choose'>
  readonly rollouts: Rollouts
  readonly rolloutNodes: RolloutNodes
  /** All nodes of the cluster, sorted. */
  readonly nodes: () => readonly string[]
  readonly current: (name: string) => AppliedModule | undefined
  readonly failure: (name: string) => { readonly reason: string } | undefined
  readonly unknown: (name: string) => HoldfastError
  readonly note: (name: string, event: string, fields: Readonly<Record<string, unknown>>) => void
}

/** What keeps a module from being changed node by node, and not while it stands still everywhere. */
const waysOut = ['E_CONFIG_INVALID', 'E_ROLLOUT_ALONE']

type ConfigRequest = Parameters<Control['moduleConfig']>[0]

interface Drawn {
  readonly order: ModuleOrder
  readonly sources: ModulePackage
}

/** Each call alone: the caller sees to it that two of them do not meet. */
export class Configuration {
  constructor(private readonly options: ConfigurationOptions) {}

  async config(request: ConfigRequest): Promise<ConfigReport> {
    const { order, sources } = await this.draw(request)
    const { warnings } = await this.options.coordinator.carryOut(order, sources)
    // All nodes have the same again: what a rollout left half done is history.
    await this.options.rollouts.forget(request.name)
    return this.applied(order, warnings)
  }

  async deconfig(name: string): Promise<ConfigReport> {
    const { current, coordinator, note } = this.options
    const applied = current(name)
    if (applied === undefined) throw unconfigured(name)
    const nodes = this.inCluster(applied.nodes)
    const order: ModuleOrder = { ...orderOf(applied), kind: 'deconfig', nodes, digest: '' }
    const { warnings } = await coordinator.carryOut(order, undefined)
    note(name, 'moduleDeconfigured', { nodes: order.nodes })
    return { nodes: order.nodes, warnings }
  }

  async uninstall(name: string): Promise<void> {
    const { identities, coordinator, note } = this.options
    const id = identities.of(name) ?? (await identities.assign(name))
    const nodes = this.options.nodes()
    const order: ModuleOrder = { kind: 'uninstall', name, id, nodes, digest: '', file: '' }
    await coordinator.carryOut(order, undefined)
    note(name, 'moduleUninstalled', { nodes })
  }

  /** Applies at once what can be; otherwise begins the way that the operator allows, after all nodes said yes. */
  async rollout(request: Parameters<Control['moduleRollout']>[0]): Promise<RolloutView> {
    const { name } = request
    const { rollouts, current } = this.options
    if (rollouts.active(name) !== undefined) {
      const hint = `holdfast log -m ${name} -f shows it`
      throw new HoldfastError('E_MODULE_BUSY', `module ${name} is being changed already`, { hint })
    }
    const before = current(name)
    if (before === undefined) throw unconfigured(name)
    const drawn = await this.draw(request)
    const { way, warnings } = await this.choose(drawn, request.stop === true)
    const standings = await this.options.rolloutNodes.look(drawn.order)
    await rollouts.begin(this.rolloutOf(drawn, { way, warnings, standings, before }), drawn.sources)
    const view = await rollouts.view(name)
    if (view === undefined) throw new Error(`the rollout of ${name} is gone`)
    return view
  }

  private async choose(
    drawn: Drawn,
    mayStop: boolean,
  ): Promise<OrderResult & { readonly way: Way }> {
    const { coordinator } = this.options
    try {
      const { warnings } = await coordinator.carryOut(drawn.order, drawn.sources)
      return { way: 'beside', warnings: this.applied(drawn.order, warnings).warnings }
    } catch (thrown) {
      const isRefused = thrown instanceof HoldfastError && thrown.code === 'E_CONFIG_INVALID'
      if (!isRefused) throw thrown
    }
    // Refused because something runs, or because it is wrong: then it is refused again.
    try {
      return await this.verified(drawn, 'rolling')
    } catch (thrown) {
      const isInTheWay = thrown instanceof HoldfastError && waysOut.includes(thrown.code) && mayStop
      if (!isInTheWay) throw thrown
      return await this.verified(drawn, 'stop')
    }
  }

  private async verified(
    { order, sources }: Drawn,
    way: Way,
  ): Promise<OrderResult & { readonly way: Way }> {
    if (way === 'rolling') await this.assertRolls(order)
    const { warnings } = await this.options.coordinator.verify(this.partOf(order, way), sources)
    return { way, warnings }
  }

  private async assertRolls(order: ModuleOrder): Promise<void> {
    const standings = await this.options.rolloutNodes.look(order)
    const reason = standsInTheWay(standings, this.startedAmong(order, standings))
    if (reason === undefined) return
    throw new HoldfastError('E_ROLLOUT_ALONE', `module ${order.name}: ${reason}`, {
      hint: 'start the other node first; or add --stop: the application stands still meanwhile',
    })
  }

  private rolloutOf(
    { order, sources }: Drawn,
    found: {
      readonly way: Way
      readonly warnings: readonly string[]
      readonly standings: readonly Standing[]
      readonly before: AppliedModule
    },
  ): Rollout {
    const { way, warnings, standings, before } = found
    const part = this.partOf(order, way)
    const started = this.startedAmong(order, standings)
    const serving = standings.find(
      ({ role }) => role !== 'STOP' && role !== 'WAIT' && role !== 'SECOND',
    )
    return {
      ...{ id: part.rollout?.id ?? '', way, order: part, started, lead: serving?.node, warnings },
      from: before.about.version,
      to: aboutPackage(sources, order.name).version,
      ...{
        taken: [],
        doing: undefined,
        abandoned: undefined,
        end: undefined,
        returning: undefined,
      },
      previous: way === 'beside' ? undefined : { ...part, ...orderOf(before) },
    }
  }

  /** Also what a rollout that halted left behind: it was started before that. */
  private startedAmong(order: ModuleOrder, standings: readonly Standing[]): readonly string[] {
    const last = this.options.rollouts.last(order.name)
    const left = last?.end?.kind === 'halted' ? last.started : []
    return standings
      .filter(({ node, role }) => role !== 'STOP' || left.includes(node))
      .map(({ node }) => node)
  }

  private partOf(order: ModuleOrder, way: Way): ModuleOrder {
    const leader = this.options.rolloutNodes.self
    return { ...order, rollout: { id: randomBytes(8).toString('hex'), leader, way } }
  }

  /** A node that the cluster has removed can't be asked any more, and need not be. */
  private inCluster(nodes: readonly string[]): readonly string[] {
    return nodes.filter((node) => this.options.nodes().includes(node))
  }

  private applied(order: ModuleOrder, warnings: readonly string[]): ConfigReport {
    const { name, nodes, digest } = order
    this.options.note(name, 'moduleConfigured', { nodes, warnings, digest })
    const failure = this.options.failure(name)
    if (failure === undefined) return { nodes, warnings }
    return { nodes, warnings: [...warnings, `not all of the module works: ${failure.reason}`] }
  }

  /** The editable sources of this node, as an order to all nodes of the module. */
  private async draw(request: ConfigRequest): Promise<Drawn> {
    const { name } = request
    const { layout, identities, plugins, current, unknown } = this.options
    const place = layout(name).sources
    if (!(await exists(place))) throw unknown(name)
    const sources = await readPackage(place)
    const applied = current(name)
    const nodes = chooseNodes(name, {
      requested: request.nodes,
      present: applied === undefined ? undefined : this.inCluster(applied.nodes),
      cluster: this.options.nodes(),
    })
    const id = await identities.assign(name)
    const versions = { current: applied?.plugins ?? {}, asked: request.plugins ?? {} }
    const order: ModuleOrder = {
      ...{ kind: 'config', name, id, nodes, digest: digestOf(sources) },
      file: join(place, 'conf/userconfig.xml'),
      plugins: boundVersions(sources, versions, plugins),
    }
    return { order, sources }
  }
}
