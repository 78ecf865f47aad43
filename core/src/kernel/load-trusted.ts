/** Where the code of a plugin runs: inside the daemon only when somebody trusted answers for it, else beside it or not at all. */
import { HoldfastError } from '@holdfast/sdk'
import type { PluginSource } from './discover.js'
import { type LoadedPlugin, loadPlugin } from './loader.js'
import { processPlugin } from './process/definition.js'

export async function loadTrusted(source: PluginSource): Promise<LoadedPlugin> {
  const { manifest, trust } = source
  if (manifest.process === true) return processPlugin(source)
  if (trust.kind !== 'foreign') return await loadPlugin(source)
  throw new HoldfastError(
    'E_PLUGIN_UNTRUSTED',
    `plugin ${manifest.id} ${manifest.version} would run inside holdfastd, and no key that you trust has signed it`,
    { hint: 'trust the key of its author: holdfast trust add NAME FILE' },
  )
}
