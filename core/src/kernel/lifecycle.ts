/**
 * Activates a set of plugins in order and stops it in reverse. One set is one application (a module) or the daemon.
 * A half activation is unwound: after a failure only what was active before, and did not change, still is.
 */
import {
  assert,
  type Clock,
  type Deps,
  done,
  HoldfastError,
  messageOf,
  type Needs,
  type PluginActivity,
  type PluginManifest,
  type Point,
  refused,
  type Verdict,
} from '@holdfast/sdk'
import { within } from '../scheduling/deadline.js'
import { Serial } from '../scheduling/serial.js'
import { InstanceContainer } from './container.js'
import type { PluginSource } from './discover.js'
import { dependenciesOf, isOptional, needId } from './graph.js'
import { LivePoints } from './live.js'
import type { LoadedPlugin, PluginLoader } from './loader.js'
import { CollectingScope, type Contribution, type Stop } from './scope.js'

export type PluginState =
  'found' | 'verified' | 'resolved' | 'configured' | 'active' | 'stopped' | 'failed'

export interface PluginStatus {
  readonly id: string
  readonly version: string
  readonly state: PluginState
  readonly failure: { readonly code: string; readonly reason: string } | undefined
  /** How long the activation took; only of an active plugin. */
  readonly startedMs: number | undefined
}

/** One plugin with its validated configuration, in the order of activation. */
export interface PlannedPlugin {
  readonly source: PluginSource
  readonly config: unknown
}

export interface PluginSetOptions {
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>
  readonly load: PluginLoader
  /** The core's instances for this plugin: token id → instance. */
  readonly services: (pluginId: string) => ReadonlyMap<string, unknown>
  readonly onStatus: (status: PluginStatus) => void
}

interface ActivePlugin {
  readonly source: PluginSource
  /** The configuration as text: equal text, same instance. */
  readonly configText: string
  readonly dependencies: readonly string[]
  readonly contributions: readonly Contribution[]
  readonly provided: ReadonlyMap<string, unknown>
  readonly stops: readonly Stop[]
}

const changesMax = 32

export class PluginSet {
  private active: ActivePlugin[] = []
  /** An order may arrive while the daemon still opens its modules: no plugin may be started by both. */
  private readonly changes = new Serial('changes of a set of plugins', changesMax)
  private readonly live: LivePoints
  /** Members that broke down after their activation: the next change starts them anew. */
  private readonly lost = new WeakSet<ActivePlugin>()

  constructor(private readonly options: PluginSetOptions) {
    this.live = new LivePoints(options.clock, (point) => this.contributionsById(point))
  }

  /**
   * Makes exactly these plugins active. Instances whose id, version, configuration and dependencies are unchanged
   * are kept, also when another one fails; then the rest is stopped, and the verdict names the plugin and why.
   */
  async apply(plan: readonly PlannedPlugin[]): Promise<Verdict> {
    return await this.changes.run(() => this.change(plan))
  }

  /** Stops everything in reverse order; a plugin that fails to stop does not keep the others from stopping. */
  async stop(): Promise<Verdict> {
    return await this.changes.run(async () => {
      const all = this.active
      this.active = []
      return await this.stopAll(all)
    })
  }

  private async change(plan: readonly PlannedPlugin[]): Promise<Verdict> {
    const kept = this.keepable(plan)
    const replaced = this.active.filter((plugin) => !kept.has(plugin.source.manifest.id))
    this.active = this.active.filter((plugin) => kept.has(plugin.source.manifest.id))
    const told = await this.tell(replaced, kept)
    const stopped = await this.stopAll(replaced)
    if (!stopped.ok) return stopped
    for (const planned of plan) {
      if (kept.has(planned.source.manifest.id)) continue
      const verdict = await this.activate(planned, plan)
      if (!verdict.ok) return await this.unwind(kept, verdict)
    }
    const position = new Map(plan.map(({ source }, index) => [source.manifest.id, index]))
    const placeOf = ({ source }: ActivePlugin): number => position.get(source.manifest.id) ?? 0
    this.active.sort((a, b) => placeOf(a) - placeOf(b))
    const added = this.active.filter((plugin) => !kept.has(plugin.source.manifest.id))
    const toldAgain = await this.tell(added, kept)
    return told.ok ? toldAgain : told
  }

  /** Ids of active plugins whose instances `apply` would stop. */
  replacedBy(plan: readonly PlannedPlugin[]): readonly string[] {
    const kept = this.keepable(plan)
    return this.active.map(({ source }) => source.manifest.id).filter((id) => !kept.has(id))
  }

  /** The active plugins in their order, each with those whose instances it holds. */
  members(): readonly Pick<PluginActivity, 'id' | 'version' | 'after'>[] {
    return this.active.map(({ source, dependencies }) => {
      const { id, version } = source.manifest
      return { id, version, after: dependencies }
    })
  }

  /** All contributions to a point, ordered by id. */
  contributions<T>(point: Point<T>): readonly T[] {
    return [...this.contributionsOf(point).values()]
  }

  /** Id → contribution, ordered by id. */
  contributionsOf<T>(point: Point<T>): ReadonlyMap<string, T> {
    return this.contributionsById(point.id) as ReadonlyMap<string, T> // Contributed through the same typed point.
  }

  private async activate(planned: PlannedPlugin, plan: readonly PlannedPlugin[]): Promise<Verdict> {
    const { manifest } = planned.source
    const scope = new CollectingScope(manifest, (point, id) => this.isTaken(point, id))
    this.report(manifest, 'resolved')
    const begunMs = this.options.clock.monotonicMs()
    let watchLoss: NonNullable<LoadedPlugin['onLost']> = () => undefined
    try {
      const { definition, onLost } = await this.options.load(planned.source)
      watchLoss = onLost ?? watchLoss
      this.report(manifest, 'configured')
      const deps = this.dependencies(manifest, definition.needs)
      // A plugin may throw before its first await: the call itself belongs inside the promise.
      const activation = (async () => {
        await definition.activate(deps, structuredClone(planned.config), scope)
      })()
      const what = `the start of plugin ${manifest.id}`
      await within(this.options.clock, manifest.startTimeoutMs, what, activation)
      scope.seal()
      scope.assertComplete()
    } catch (thrown) {
      // Foreign code: whatever it throws is the failure of its module, with a code, and nothing else.
      scope.seal()
      await this.stopOne({ manifest, stops: scope.stops })
      return this.failed(manifest, thrown, 'E_PLUGIN_ACTIVATE')
    }
    const plugin: ActivePlugin = {
      source: planned.source,
      configText: textOf(planned.config),
      dependencies: dependenciesOf(manifest, plan.map(manifestOf)),
      contributions: scope.contributions,
      provided: scope.provided,
      stops: scope.stops,
    }
    this.active.push(plugin)
    this.report(manifest, 'active', this.options.clock.monotonicMs() - begunMs)
    watchLoss((cause) => {
      this.lose(plugin, cause)
    })
    return done
  }

  /** It stays a member, and what it gave stays: others go on, and the operator is told. */
  private lose(plugin: ActivePlugin, cause: string): void {
    if (!this.active.includes(plugin)) return
    this.lost.add(plugin)
    this.failed(plugin.source.manifest, cause, 'E_PLUGIN_LOST')
  }

  private dependencies(manifest: PluginManifest, needs: Needs): Deps<Needs> {
    const container = new InstanceContainer()
    for (const plugin of this.active) {
      for (const [id, instance] of plugin.provided) container.hold(id, instance)
    }
    const own = new InstanceContainer(container)
    for (const [id, instance] of this.options.services(manifest.id)) own.hold(id, instance)
    const optional = new Set(manifest.needs.filter(isOptional).map(needId))
    const deps: Record<string, unknown> = {}
    for (const [name, need] of Object.entries(needs)) {
      if (need.kind === 'point') deps[name] = [...this.contributionsById(need.id).values()]
      else if (need.kind === 'live') deps[name] = this.live.for(manifest.id, need.id)
      else if (own.has(need.id)) deps[name] = own.get(need.id)
      else assert(optional.has(need.id), `${need.id} is there when ${manifest.id} needs it`)
    }
    own.release()
    container.release()
    return deps as Deps<Needs> // Each name was filled from the token or point of that name.
  }

  private contributionsById(point: string): ReadonlyMap<string, unknown> {
    const all = this.active
      .flatMap((plugin) => plugin.contributions)
      .filter((contribution) => contribution.point === point)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    return new Map(all.map(({ id, value }) => [id, value]))
  }

  private isTaken(point: string, id: string): boolean {
    const all = this.active.flatMap((plugin) => plugin.contributions)
    return all.some((contribution) => contribution.point === point && contribution.id === id)
  }

  /** A kept instance holds instances of others: it can be kept only when all of those are kept too. */
  private keepable(plan: readonly PlannedPlugin[]): ReadonlySet<string> {
    const kept = new Set<string>()
    const manifests = plan.map(manifestOf)
    for (const { source, config } of plan) {
      const { id, version } = source.manifest
      const current = this.active.find((plugin) => plugin.source.manifest.id === id)
      if (current === undefined) continue
      const dependencies = dependenciesOf(source.manifest, manifests)
      const isSame =
        !this.lost.has(current) &&
        current.source.manifest.version === version &&
        current.source.directory === source.directory &&
        current.configText === textOf(config) &&
        textOf(current.dependencies) === textOf(dependencies)
      if (isSame && dependencies.every((dependency) => kept.has(dependency))) kept.add(id)
    }
    return kept
  }

  private async unwind(kept: ReadonlySet<string>, cause: Verdict): Promise<Verdict> {
    const begun = this.active.filter((plugin) => !kept.has(plugin.source.manifest.id))
    this.active = this.active.filter((plugin) => kept.has(plugin.source.manifest.id))
    await this.stopAll(begun) // What fails here is reported through the status of its plugin.
    return cause
  }

  /** Those that are kept and watch what `changed` contributes; one that can't be told has failed. */
  private async tell(
    changed: readonly ActivePlugin[],
    kept: ReadonlySet<string>,
  ): Promise<Verdict> {
    const points = new Set(
      changed.flatMap(({ contributions }) => contributions.map(({ point }) => point)),
    )
    const timeoutMs = Math.max(0, ...changed.map(({ source }) => source.manifest.stopTimeoutMs))
    let outcome: Verdict = done
    for (const { plugin, reason } of await this.live.tell(points, kept, timeoutMs)) {
      const manifest = this.active.find(({ source }) => source.manifest.id === plugin)?.source
        .manifest
      if (manifest === undefined) continue
      const verdict = this.failed(manifest, reason, 'E_PLUGIN_WATCH')
      if (outcome.ok) outcome = verdict
    }
    return outcome
  }

  private async stopAll(plugins: readonly ActivePlugin[]): Promise<Verdict> {
    let outcome: Verdict = done
    for (const { source, stops } of plugins.toReversed()) {
      const verdict = await this.stopOne({ manifest: source.manifest, stops })
      if (outcome.ok) outcome = verdict
    }
    return outcome
  }

  /** All stops share the plugin's stop time-out; each is called even when one before it failed. */
  private async stopOne(plugin: {
    readonly manifest: PluginManifest
    readonly stops: readonly Stop[]
  }): Promise<Verdict> {
    const { manifest, stops } = plugin
    const failures: unknown[] = []
    this.live.forget(manifest.id)
    const run = async (): Promise<void> => {
      for (const stop of stops.toReversed()) {
        try {
          await stop()
        } catch (thrown) {
          failures.push(thrown) // Foreign code; reported below, after the others had their turn.
        }
      }
    }
    try {
      const what = `the stop of plugin ${manifest.id}`
      await within(this.options.clock, manifest.stopTimeoutMs, what, run())
    } catch (thrown) {
      failures.push(thrown) // Only the time-out: run() itself never rejects.
    }
    if (failures.length > 0) return this.failed(manifest, failures[0], 'E_PLUGIN_STOP')
    this.report(manifest, 'stopped')
    return done
  }

  private failed(manifest: PluginManifest, thrown: unknown, code: string): Verdict {
    const failure = failureOf(thrown, code)
    const reason = failure.reason.includes(`plugin ${manifest.id}`)
      ? failure.reason
      : `plugin ${manifest.id}: ${failure.reason}`
    const { id, version } = manifest
    this.options.onStatus({
      id,
      version,
      state: 'failed',
      failure: { ...failure, reason },
      startedMs: undefined,
    })
    const hint = thrown instanceof HoldfastError ? thrown.hint : undefined
    return refused(failure.code, reason, hint)
  }

  private report(manifest: PluginManifest, state: PluginState, startedMs?: number): void {
    const { id, version } = manifest
    this.options.onStatus({ id, version, state, failure: undefined, startedMs })
  }
}

/** Active plugins in their order, then those that did not get there. */
export function activityOf(
  set: PluginSet,
  statuses: ReadonlyMap<string, PluginStatus>,
): readonly PluginActivity[] {
  const members = set.members()
  // One whose instance is kept over a change reports nothing again: it is active because it is a member.
  const active = members.map((member) => ({
    ...{ state: 'active', startedMs: undefined, failure: undefined },
    ...statuses.get(member.id),
    ...member,
  }))
  const others = [...statuses.values()]
    // One that was stopped on purpose is no part of the set any more.
    .filter(({ id, state }) => state !== 'stopped' && !members.some((member) => member.id === id))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((status) => ({ ...status, after: [] }))
  return [...active, ...others]
}

function failureOf(thrown: unknown, code: string): { code: string; reason: string } {
  if (!(thrown instanceof HoldfastError)) return { code, reason: messageOf(thrown) }
  return { code: thrown.code, reason: thrown.message }
}

function manifestOf(planned: PlannedPlugin): PluginManifest {
  return planned.source.manifest
}

function textOf(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value)
}
