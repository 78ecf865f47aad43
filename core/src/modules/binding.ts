/**
 * The versions of plugins that a module uses: those that were named, those that it uses already, and of the rest the newest
 * that this node has. A module never moves to another version because that was installed.
 */
import { HoldfastError, type PluginActivity } from '@holdfast/sdk'
import { fileOf, type ModulePackage } from '../packages/package.js'
import type { Bound, PluginCatalog } from '../plugins/catalog.js'
import { planModule } from './plan.js'
import { installedFor } from './services.js'
import { parseUserConfig } from './userconfig.js'

/** A configured module with the versions it is bound to, and what became of its plugins. */
export interface ModulePlugins {
  readonly module: string
  readonly bound: Bound
  readonly failure: { readonly code: string; readonly reason: string } | undefined
  readonly plugins: readonly PluginActivity[]
}

/** `wanted`: id → version, or `newest`. For all nodes of the module: each of them must have what is bound here. */
export function boundVersions(
  sources: ModulePackage,
  wanted: Bound,
  catalog: Pick<PluginCatalog, 'choose'>,
): Bound {
  const kept = Object.entries(wanted).filter(([, version]) => version !== 'newest')
  const choice = catalog.choose(Object.fromEntries(kept))
  try {
    const xml = fileOf(sources, 'conf/userconfig.xml') ?? ''
    const result = planModule(parseUserConfig(xml, '').service, installedFor('module', choice))
    if (!result.ok) return Object.fromEntries(kept)
    const used = result.plan.plugins.map(({ manifest }) => [manifest.id, manifest.version] as const)
    return Object.fromEntries(used)
  } catch (thrown) {
    // What is wrong with the configuration, every node says when it prepares.
    if (!(thrown instanceof HoldfastError)) throw thrown
    return Object.fromEntries(kept)
  }
}
