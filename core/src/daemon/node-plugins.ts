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
import { compileSchema } from '../schema/validate.js'

export interface NodePluginsOptions {
  readonly directories: Directories
  readonly clock: Clock
  readonly log: EventLog
  readonly core: CoreServices
  readonly plugins: PluginCatalog
  readonly load: PluginLoader
  readonly control: Control
}

export interface NodePlugins {
  stop(): Promise<Verdict>
  /** What became of each plugin of scope node, in the order of activation. */
  activity(): readonly PluginActivity[]
}

export async function startNodePlugins(options: NodePluginsOptions): Promise<NodePlugins> {
  const { plugins, clock, load, core, control, log } = options
  const failed = new Set<string>()
  const statuses = new Map<string, PluginStatus>()
  const set = new PluginSet({
    ...{ clock, load },
    services: (plugin) => core.forNode(plugin, control),
    onStatus: (status) => {
      const { id, failure } = status
      statuses.set(id, status)
      if (failure === undefined) return
      failed.add(id)
      log.for(undefined, id).write('critical', 'pluginFailed', { ...failure, text: failure.reason })
    },
  })
  let candidates = plugins.sources.filter(({ manifest }) => manifest.scope === 'node')
  // Each round leaves at least one plugin out, so this ends.
  while (candidates.length > 0) {
    failed.clear()
    const usable = await planNode(candidates, options)
    if ((await set.apply(usable)).ok || failed.size === 0) break
    candidates = usable
      .map(({ source }) => source)
      .filter(({ manifest }) => !failed.has(manifest.id))
  }
  return { stop: () => set.stop(), activity: () => activityOf(set, statuses) }
}

/** The largest set that can be ordered: what is refused alone is left out with all its reasons. */
async function planNode(
  candidates: readonly PluginSource[],
  options: NodePluginsOptions,
): Promise<PlannedPlugin[]> {
  const { plugins, log } = options
  const installed = installedFor('node', { ...plugins.choose({}), sources: candidates })
  const accepted: PluginManifest[] = []
  let order: readonly PluginManifest[] = []
  for (const { manifest } of candidates) {
    const wanted = [...accepted, manifest].map(({ id }) => ({ id, because: 'it is installed' }))
    const result = resolveOrder({ ...installed, scope: 'node', wanted })
    if (result.ok) {
      accepted.push(manifest)
      order = result.order
    } else {
      const text = result.reasons.join('; ')
      log.for(undefined, manifest.id).write('critical', 'pluginLeftOut', { text })
    }
  }
  const planned: PlannedPlugin[] = []
  for (const manifest of order) {
    const source = candidates.find((one) => one.manifest === manifest)
    if (source !== undefined) planned.push({ source, config: await settings(manifest, options) })
  }
  return planned
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
