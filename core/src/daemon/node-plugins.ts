/** Plugins of scope node: one instance each for the daemon. One that fails keeps only those out that need it. */
import { join } from 'node:path'
import {
  type Clock,
  type Control,
  HoldfastError,
  type PluginActivity,
  type PluginManifest,
  type Verdict,
} from '@holdfast/sdk'
import { readIfExists } from '../files/atomic.js'
import type { Directories } from '../files/directories.js'
import type { PluginSource } from '../kernel/discover.js'
import { resolveOrder } from '../kernel/graph.js'
import {
  activityOf,
  type PlannedPlugin,
  PluginSet,
  type PluginStatus,
} from '../kernel/lifecycle.js'
import type { PluginLoader } from '../kernel/loader.js'
import type { EventLog } from '../log/event-log.js'
import type { PluginCatalog } from '../plugins/catalog.js'
import { type CoreServices, installedFor } from '../modules/services.js'
import { Serial } from '../scheduling/serial.js'
import { compileSchema } from '../schema/validate.js'

export interface NodePluginsOptions {
  readonly directories: Directories
  readonly clock: Clock
  readonly log: EventLog
  readonly core: Pick<CoreServices, 'forNode'>
  readonly plugins: PluginCatalog
  readonly load: PluginLoader
  readonly control: Control
}

/** Longer than the answer to an order needs to leave, when the plugin that sends it is restarted by that order. */
const answerMs = 300
const changesMax = 32

export class NodePlugins {
  private readonly failed = new Set<string>()
  private readonly statuses = new Map<string, PluginStatus>()
  private readonly set: PluginSet
  private readonly serial = new Serial('changes of the plugins of the node', changesMax)
  private isStopped = false

  constructor(private readonly options: NodePluginsOptions) {
    const { clock, load, core, control } = options
    this.set = new PluginSet({
      ...{ clock, load },
      services: (plugin) => core.forNode(plugin, control),
      onStatus: (status) => {
        this.onStatus(status)
      },
    })
  }

  /** Makes what is active equal to what is installed and enabled. */
  async refresh(): Promise<void> {
    await this.serial.run(() => this.apply())
  }

  /**
   * The same after an order about `id`. When that restarts others, one of which may be about to answer the order, it
   * comes right after the answer.
   */
  async changed(id: string): Promise<void> {
    const { plugins, clock, log } = this.options
    const { planned } = await planNode(candidatesIn(plugins.sources), this.options)
    const others = this.set.replacedBy(planned).filter((other) => other !== id)
    if (others.length === 0) {
      await this.refresh()
      return
    }
    log.for(undefined, id).write('event', 'pluginsRestart', { plugins: others })
    // A rejection is a bug, and ends the daemon.
    clock.after(answerMs, () => void this.refresh())
  }

  /** Active plugins that could not be without `id`, each with the reasons. */
  async neededBy(id: string): Promise<ReadonlyMap<string, string>> {
    const without = candidatesIn(this.options.plugins.sources).filter(
      ({ manifest }) => manifest.id !== id,
    )
    const { leftOut } = await planNode(without, this.options)
    const active = new Set(this.set.members().map((member) => member.id))
    return new Map([...leftOut].filter(([other]) => active.has(other)))
  }

  async stop(): Promise<Verdict> {
    this.isStopped = true
    return await this.set.stop()
  }

  /** What became of each plugin of scope node, in the order of activation. */
  activity(): readonly PluginActivity[] {
    return activityOf(this.set, this.statuses)
  }

  private async apply(): Promise<void> {
    let candidates = candidatesIn(this.options.plugins.sources)
    // Each round leaves at least one plugin out, so this ends.
    while (!this.isStopped) {
      this.failed.clear()
      const { planned, leftOut } = await planNode(candidates, this.options)
      for (const [id, text] of leftOut) {
        this.options.log.for(undefined, id).write('critical', 'pluginLeftOut', { text })
      }
      this.forgetIdle()
      if ((await this.set.apply(planned)).ok || this.failed.size === 0) break
      candidates = planned
        .map(({ source }) => source)
        .filter(({ manifest }) => !this.failed.has(manifest.id))
    }
  }

  private forgetIdle(): void {
    const there = new Set(this.options.plugins.sources.map(({ manifest }) => manifest.id))
    for (const [id, { state }] of this.statuses) {
      if (state !== 'active' && !there.has(id)) this.statuses.delete(id)
    }
  }

  private onStatus(status: PluginStatus): void {
    const { id, failure } = status
    this.statuses.set(id, status)
    if (failure === undefined) return
    this.failed.add(id)
    const fields = { ...failure, text: failure.reason }
    this.options.log.for(undefined, id).write('critical', 'pluginFailed', fields)
  }
}

function candidatesIn(sources: readonly PluginSource[]): readonly PluginSource[] {
  return sources.filter(({ manifest }) => manifest.scope === 'node')
}

interface NodePlan {
  readonly planned: readonly PlannedPlugin[]
  /** Plugin → why it can't be. */
  readonly leftOut: ReadonlyMap<string, string>
}

/** The largest set that can be ordered: what is refused alone is left out with all its reasons. */
async function planNode(
  candidates: readonly PluginSource[],
  options: NodePluginsOptions,
): Promise<NodePlan> {
  const { plugins } = options
  const installed = installedFor('node', { ...plugins.choose({}), sources: candidates })
  const accepted: PluginManifest[] = []
  const leftOut = new Map<string, string>()
  let order: readonly PluginManifest[] = []
  let waiting = candidates.map(({ manifest }) => manifest)
  // Again as long as it helps: what one of them needs, one that comes later may provide.
  for (let before = -1; before !== accepted.length;) {
    before = accepted.length
    leftOut.clear()
    for (const manifest of waiting) {
      const wanted = [...accepted, manifest].map(({ id }) => ({ id, because: 'it is installed' }))
      const result = resolveOrder({ ...installed, scope: 'node', wanted })
      if (result.ok) {
        accepted.push(manifest)
        order = result.order
      } else leftOut.set(manifest.id, result.reasons.join('; '))
    }
    waiting = waiting.filter(({ id }) => leftOut.has(id))
  }
  const planned: PlannedPlugin[] = []
  for (const manifest of order) {
    const source = candidates.find((one) => one.manifest === manifest)
    if (source !== undefined) planned.push({ source, config: await settings(manifest, options) })
  }
  return { planned, leftOut }
}

/** `/etc/holdfast/plugins/<id>.json`; without the file, the defaults of the schema. */
async function settings(manifest: PluginManifest, options: NodePluginsOptions): Promise<unknown> {
  const path = join(options.directories.etc, 'plugins', `${manifest.id}.json`)
  const text = await readIfExists(path)
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    const problems = compileSchema(manifest.config)(value)
    if (problems.length === 0) return value
    const all = problems.map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
    throw new HoldfastError('E_CONFIG_INVALID', `${path}: ${all.join('; ')}`)
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError) && !(thrown instanceof HoldfastError)) throw thrown
    // The operator can correct a file only with a daemon that runs: the defaults are used meanwhile.
    const text = `${path} is not used: ${thrown.message}`
    options.log.for(undefined, manifest.id).write('critical', 'settingsRefused', { text })
    const defaults: unknown = {}
    compileSchema(manifest.config)(defaults)
    return defaults
  }
}
