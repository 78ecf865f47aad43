/** Imports a plugin's entry and checks that the code keeps what its manifest says. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type Delays,
  HoldfastError,
  messageOf,
  type Needs,
  type PluginDefinition,
} from '@holdfast/sdk'
import type { PluginSource } from './discover.js'
import { isLive, needId } from './graph.js'

/** What a plugin says about a configuration before it is applied. */
export interface CheckReport {
  readonly errors: readonly CheckFinding[]
  readonly warnings: readonly (CheckFinding | string)[]
}

export interface CheckFinding {
  /** JSON pointer into the plugin's config. */
  readonly path: string
  readonly message: string
}

/** Optional export `check` of an entry file: facts about this node that no schema can know. */
export type ConfigCheck = (config: unknown, context: unknown) => Promise<unknown>

/** Optional export `delays` of an entry file: what the plugin's configuration means for a take-over. */
export type ConfigDelays = (config: unknown) => Delays

export interface LoadedPlugin {
  readonly definition: PluginDefinition
  readonly check: ConfigCheck | undefined
  readonly delays?: ConfigDelays | undefined
  /** Set by the host: calls once when an active plugin no longer works, and will not again before it is started anew. */
  readonly onLost?: (tell: (cause: string) => void) => void
}

export type PluginLoader = (source: PluginSource) => Promise<LoadedPlugin>

/** Throws `E_PLUGIN_IMPORT`, `E_PLUGIN_SHAPE` or `E_PLUGIN_NEEDS`. */
export async function loadPlugin(source: PluginSource): Promise<LoadedPlugin> {
  const { id } = source.manifest
  const exported = await importEntry(source)
  const definition = exported['plugin']
  if (!isDefinition(definition)) {
    throw new HoldfastError(
      'E_PLUGIN_SHAPE',
      `plugin ${id}: its entry does not export plugin = definePlugin(…)`,
    )
  }
  verifyNeeds(source, definition.needs)
  const { check, delays } = exported
  return {
    definition,
    check: isCheck(check) ? check : undefined,
    delays: isDelays(delays) ? delays : undefined,
  }
}

async function importEntry(source: PluginSource): Promise<Readonly<Record<string, unknown>>> {
  const { manifest, directory } = source
  try {
    const exported: unknown = await import(pathToFileURL(join(directory, manifest.entry)).href)
    return typeof exported === 'object' && exported !== null ? { ...exported } : {}
  } catch (thrown) {
    // Foreign code: whatever it throws at import is a failure of this plugin, not of the daemon.
    throw new HoldfastError(
      'E_PLUGIN_IMPORT',
      `plugin ${manifest.id} can't be imported: ${messageOf(thrown)}`,
      { hint: 'build or install the plugin again', cause: thrown },
    )
  }
}

/** The order of activation was computed from the manifest: code that needs more would find nothing. */
function verifyNeeds(source: PluginSource, needs: Needs): void {
  // Whether a need is optional only the manifest knows; whether it is live both must say.
  const declared = new Set(
    source.manifest.needs.map((need) => (isLive(need) ? need : needId(need))),
  )
  const used = new Set(
    Object.values(needs).map(({ id, kind }) => (kind === 'live' ? `${id}*` : id)),
  )
  const undeclared = [...used].filter((id) => !declared.has(id))
  const unused = [...declared].filter((id) => !used.has(id))
  if (undeclared.length === 0 && unused.length === 0) return
  const parts = [
    undeclared.length > 0 ? `its code needs ${undeclared.join(', ')} without saying so` : '',
    unused.length > 0 ? `it declares ${unused.join(', ')} without need` : '',
  ]
  throw new HoldfastError(
    'E_PLUGIN_NEEDS',
    `plugin ${source.manifest.id}: ${parts.filter((part) => part !== '').join('; ')}`,
    { hint: 'make "needs" in plugin.json equal to the needs of the code' },
  )
}

function isDefinition(value: unknown): value is PluginDefinition {
  if (typeof value !== 'object' || value === null) return false
  if (!('activate' in value) || typeof value.activate !== 'function') return false
  return 'needs' in value && typeof value.needs === 'object' && value.needs !== null
}

function isDelays(value: unknown): value is ConfigDelays {
  return typeof value === 'function'
}

function isCheck(value: unknown): value is ConfigCheck {
  return typeof value === 'function'
}
