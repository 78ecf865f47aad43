/** The editable sources of modules on this node: put there from packages, upgraded, and taken one step back. */
import { rm } from 'node:fs/promises'
import {
  type Control,
  HoldfastError,
  type PackageSource,
  type PackageView,
  type UpgradeReport,
} from '@holdfast/sdk'
import type { Directories } from '../files/directories.js'
import { contentsOf, originName } from '../packages/origin.js'
import { configurationName } from '../packages/parameters.js'
import {
  digestOf,
  exists,
  type ModulePackage,
  readPackage,
  replaceDirectory,
  writePackage,
} from '../packages/package.js'
import { type Loaded, Packages, type PluginsAre, viewOf } from '../packages/packages.js'
import { TrustedKeys } from '../trust/keyring.js'
import type { PluginCatalog } from '../plugins/catalog.js'
import type { Finding } from '../xml/bind.js'
import { writeSources } from './applied.js'
import type { ModuleLayout } from './layout.js'
import { planModule } from './plan.js'
import { installedFor } from './services.js'
import { tryUserConfig } from './userconfig.js'

export class Installation {
  private readonly packages: Packages
  private readonly keys: TrustedKeys

  constructor(options: { readonly directories: Directories; readonly plugins: PluginCatalog }) {
    const { directories, plugins } = options
    this.keys = new TrustedKeys(directories)
    this.packages = new Packages({
      plugins: () => plugins.usable.map(({ manifest }) => manifest),
      keys: this.keys,
      examine: (xml) => examine(xml, plugins),
    })
  }

  /** Reads and judges what is named; writes nothing. */
  async load(
    name: string,
    layout: ModuleLayout,
    source: PackageSource,
    plugins: PluginsAre = 'here',
  ): Promise<Loaded> {
    if (await exists(layout.sources)) {
      throw new HoldfastError('E_MODULE_EXISTS', `module ${name} is installed already`, {
        hint: `holdfast module upgrade ${name} brings another version; or edit ${layout.sources}`,
      })
    }
    return await this.packages.load(source, plugins)
  }

  /** What `upgrade` would be refused for, but for plugins that are not here yet. */
  async judgeUpgrade(layout: ModuleLayout, source: PackageSource): Promise<void> {
    await this.packages.merge(await readPackage(layout.sources), source, 'later')
  }

  async upgrade(layout: ModuleLayout, source: PackageSource): Promise<UpgradeReport> {
    const ours = await readPackage(layout.sources)
    const merged = await this.packages.merge(ours, source)
    const { sources, offered } = merged
    const report = { ...merged.report, taken: told(merged.report.taken, ours, sources) }
    // An upgrade to what is there already must not take the way back to the version before it.
    if (offered === undefined && contentOf(ours) === contentOf(sources)) return report
    await rm(layout.offered, { recursive: true, force: true })
    if (offered !== undefined) await writePackage(offered, layout.offered)
    await keep(layout, ours)
    await writeSources(layout, sources)
    const place = `the new files are in ${layout.offered}`
    return offered === undefined ? report : { ...report, notes: [...report.notes, place] }
  }

  /** What is left behind becomes what the next rollback returns to. */
  async rollback(layout: ModuleLayout): Promise<UpgradeReport> {
    if (!(await exists(layout.previous))) {
      throw new HoldfastError('E_PACKAGE_NO_PREVIOUS', 'there is nothing to go back to', {
        hint: 'one step is kept, on the node on which "holdfast module upgrade" was given',
      })
    }
    const previous = await readPackage(layout.previous)
    const ours = await readPackage(layout.sources)
    await keep(layout, ours)
    await writeSources(layout, previous)
    const from = viewOf(ours, '').version
    const to = viewOf(previous, '').version
    return {
      from,
      to,
      taken: told(differences(ours, previous), ours, previous),
      conflicts: [],
      notes: [],
    }
  }

  async view(layout: ModuleLayout, name: string): Promise<PackageView> {
    return viewOf(await readPackage(layout.sources), name)
  }

  inspect(path: string): Promise<PackageView> {
    return this.packages.inspect(path)
  }

  async signerOf(request: Parameters<Control['signerOf']>[0]): Promise<string | undefined> {
    const { what, content, signature } = request
    return (await this.keys.verify(what, content, signature))?.name
  }
}

/** A value of a parameter is no content of its file for a comparison of packages, but a change all the same. */
function told(
  paths: readonly string[],
  before: ModulePackage,
  after: ModulePackage,
): readonly string[] {
  const isTold = paths.length > 0 || contentOf(before) === contentOf(after)
  return isTold ? paths : [configurationName]
}

/** Of all files but the note of where they come from. */
function contentOf(sources: ModulePackage): string {
  return digestOf({ files: sources.files.filter(({ path }) => path !== originName) })
}

/** The complete copy exists before the older one goes. */
async function keep(layout: ModuleLayout, sources: ModulePackage): Promise<void> {
  const staged = `${layout.previous}.new`
  await rm(staged, { recursive: true, force: true })
  await writePackage(sources, staged)
  await replaceDirectory(staged, layout.previous)
}

function differences(before: ModulePackage, after: ModulePackage): readonly string[] {
  const old = contentsOf(before)
  const now = contentsOf(after)
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort()
  return paths.filter((path) => old.get(path) !== now.get(path))
}

/** Everything that the plugins of this node would refuse in a configuration, apart from facts about the node. */
function examine(xml: string, plugins: PluginCatalog): readonly Finding[] {
  const { config, findings } = tryUserConfig(xml, 'conf/userconfig.xml')
  if (config === undefined) return findings
  const result = planModule(config.service, installedFor('module', plugins.choose({})))
  return result.ok ? findings : [...findings, ...result.findings]
}
