/** Finds the plugins of this installation: reads and verifies manifests, imports nothing. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HoldfastError, type PluginManifest } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { readManifest } from './manifest.js'
import { satisfies } from './versions.js'

export const pluginsMax = 256

export interface PluginSource {
  readonly manifest: PluginManifest
  readonly directory: string
  readonly trust: Trust
}

/** Who answers for the code: Holdfast itself, a key that the operator trusts (by its name), or nobody. */
export type Trust =
  | { readonly kind: 'builtin' }
  | { readonly kind: 'signed'; readonly by: string }
  | { readonly kind: 'foreign' }

/** A directory that looks like a plugin and is not usable. */
export interface BrokenPlugin {
  /** The directory's name, which by convention is the id. */
  readonly id: string
  readonly directory: string
  readonly code: string
  readonly reason: string
}

export interface Discovered {
  readonly sources: readonly PluginSource[]
  readonly broken: readonly BrokenPlugin[]
}

/** `HOLDFAST_PLUGINS` is a path list; otherwise `plugins/` beside core in the installation. */
export function pluginPaths(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const listed = environment['HOLDFAST_PLUGINS']?.split(delimiter).filter((path) => path !== '')
  if (listed !== undefined && listed.length > 0) return listed
  return [fileURLToPath(new URL('../../../plugins', import.meta.url))]
}

/** Each path is a plugin (it holds `plugin.json`) or a directory of plugins. `areOurs`: delivered with this Holdfast. */
export async function discoverPlugins(
  paths: readonly string[],
  holdfastVersion: string,
  areOurs = false,
): Promise<Discovered> {
  const sources: PluginSource[] = []
  const broken: BrokenPlugin[] = []
  const directories = (await Promise.all(paths.map(candidates))).flat().slice(0, pluginsMax)
  for (const directory of directories) {
    const id = directory.slice(directory.lastIndexOf('/') + 1)
    try {
      const manifest = await verifyPlugin(directory, holdfastVersion, areOurs)
      const twin = sources.find((source) => source.manifest.id === manifest.id)
      if (twin !== undefined) throw duplicate(manifest.id, twin.directory, directory)
      sources.push({ manifest, directory, trust: { kind: 'builtin' } })
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      broken.push({ id, directory, code: thrown.code, reason: thrown.message })
    }
  }
  return { sources, broken }
}

async function candidates(path: string): Promise<string[]> {
  if (await isFile(join(path, 'plugin.json'))) return [path]
  const names = await namesIn(path)
  const found: string[] = []
  for (const name of names.sort()) {
    if (await isFile(join(path, name, 'plugin.json'))) found.push(join(path, name))
  }
  return found
}

/** The manifest of a directory that is a plugin for this Holdfast. Throws `E_PLUGIN_*`. */
export async function verifyPlugin(
  directory: string,
  holdfastVersion: string,
  isOurs = false,
): Promise<PluginManifest> {
  const path = join(directory, 'plugin.json')
  const manifest = readManifest(await readFile(path, 'utf8'), path, isOurs)
  if (!satisfies(holdfastVersion, manifest.engines.holdfast)) {
    throw new HoldfastError(
      'E_PLUGIN_ENGINE',
      `plugin ${manifest.id} ${manifest.version} is made for Holdfast ${manifest.engines.holdfast}, this is ${holdfastVersion}`,
      { hint: 'install a version of the plugin for this Holdfast' },
    )
  }
  if (!(await isFile(join(directory, manifest.entry)))) {
    throw new HoldfastError(
      'E_PLUGIN_ENTRY',
      `plugin ${manifest.id}: its entry ${manifest.entry} is missing in ${directory}`,
      { hint: 'build or install the plugin again' },
    )
  }
  return manifest
}

function duplicate(id: string, first: string, second: string): HoldfastError {
  return new HoldfastError('E_PLUGIN_DUPLICATE', `plugin ${id} is in ${first} and in ${second}`, {
    hint: 'remove one of them',
  })
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return false
    throw thrown
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return []
    throw thrown
  }
}
