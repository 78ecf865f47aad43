/**
 * The versions of plugins that a module uses: those that were named, those that it uses already, and of the rest the newest
 * of this node that its module.json allows. A module never moves to another version because that was installed, only when
 * it was upgraded to one that requires that.
 */
import { HoldfastError, type PluginActivity } from '@holdfast/sdk'
import { satisfies } from '../kernel/versions.js'
import { manifestOrNone } from '../packages/manifest.js'
import { fileOf, type ModulePackage } from '../packages/package.js'
import type { Bound, Choice, PluginCatalog } from '../plugins/catalog.js'
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

/**
 * For all nodes of the module: each of them must have what is bound here. `asked`: what the operator named, id → version
 * or `newest`. Throws when the configuration does not use such a plugin.
 */
export function boundVersions(
  sources: ModulePackage,
  { current, asked }: { readonly current: Bound; readonly asked: Bound },
  catalog: Pick<PluginCatalog, 'choose'>,
): Bound {
  const requires = manifestOrNone(sources)?.requires ?? {}
  const allowed = Object.entries(current).filter(
    ([id, version]) => requires[id] === undefined || satisfies(version, requires[id]),
  )
  const wanted = Object.entries({ ...Object.fromEntries(allowed), ...asked })
  const kept = Object.fromEntries(wanted.filter(([, version]) => version !== 'newest'))
  const used = usedVersions(sources, catalog.choose(kept, requires))
  // What is wrong with the configuration, every node says when it prepares.
  if (used === undefined) return kept
  const stray = Object.keys(asked).find((id) => used[id] === undefined)
  if (stray === undefined) return used
  throw new HoldfastError('E_PLUGIN_UNUSED', `the configuration uses no plugin ${stray}`, {
    hint: `it uses ${Object.keys(used).sort().join(', ')}`,
  })
}

/** Undefined: the configuration is not valid. */
function usedVersions(sources: ModulePackage, choice: Choice): Bound | undefined {
  try {
    const xml = fileOf(sources, 'conf/userconfig.xml') ?? ''
    const result = planModule(parseUserConfig(xml, '').service, installedFor('module', choice))
    if (!result.ok) return undefined
    const used = result.plan.plugins.map(({ manifest }) => [manifest.id, manifest.version] as const)
    return Object.fromEntries(used)
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return undefined
  }
}
