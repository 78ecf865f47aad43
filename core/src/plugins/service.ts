/** What operators do with plugins on this node: see, inspect, install, remove, enable, and ask why one is not active. */
import { readFile, stat } from 'node:fs/promises'
import {
  HoldfastError,
  type PluginActivity,
  type PluginArchive,
  type PluginManifest,
  type PluginsReport,
  type PluginView,
  route,
} from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import type { BrokenPlugin, PluginSource, Trust } from '../kernel/discover.js'
import { needId } from '../kernel/graph.js'
import { readManifest } from '../kernel/manifest.js'
import { satisfies } from '../kernel/versions.js'
import { elementNames } from '../modules/plan.js'
import type { ModulePlugins } from '../modules/binding.js'
import { type Archive, parseArchive, pluginArchive } from '../packages/archive.js'
import { fileOf, packageBytesMax } from '../packages/package.js'
import { Serial } from '../scheduling/serial.js'
import type { PluginCatalog } from './catalog.js'
import { type PluginStore, untrusted } from './store.js'

const operationsMax = 32

export interface PluginServiceOptions {
  readonly catalog: PluginCatalog
  readonly store: PluginStore
  readonly version: string
  readonly modules: () => readonly ModulePlugins[]
  readonly node: () => NodeSet
  readonly note: (event: string, fields: Readonly<Record<string, unknown>>) => void
}

/** The plugins of scope node that are active. */
export interface NodeSet {
  activity(): readonly PluginActivity[]
  /** After an order about `id`: makes what is active equal to what is installed and enabled. */
  changed(id: string): Promise<void>
  /** Active plugins that could not be without `id`, each with why. */
  neededBy(id: string): Promise<ReadonlyMap<string, string>>
}

interface Inspected {
  readonly archive: Archive
  readonly manifest: PluginManifest
  readonly trust: Trust
}

export class PluginService {
  private readonly serial = new Serial('orders about plugins', operationsMax)

  constructor(private readonly options: PluginServiceOptions) {}

  list(): readonly PluginView[] {
    const { catalog } = this.options
    const usable = catalog.versions.map((source) => this.view(source))
    const broken = catalog.broken.map((one) => brokenView(one))
    return [...usable, ...broken].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  }

  async inspect(archive: PluginArchive): Promise<PluginView> {
    const { manifest, trust } = await this.read(archive)
    return viewOf(manifest, trust, { enabled: true, usedBy: [] })
  }

  /** Throws when the archive asks for more than the operator has seen, or nobody trusted answers for code in process. */
  async install(archive: PluginArchive, capabilities: readonly string[]): Promise<PluginView> {
    const { catalog, store, note } = this.options
    return await this.serial.run(async () => {
      const inspected = await this.read(archive)
      const { manifest, trust } = inspected
      const { id, version } = manifest
      const unseen = manifest.capabilities.filter((one) => !capabilities.includes(one))
      if (unseen.length > 0) {
        throw new HoldfastError(
          'E_PLUGIN_CAPABILITIES',
          `plugin ${id} ${version} asks for ${unseen.join(', ')}`,
          { hint: 'allow it by name, or with --yes' },
        )
      }
      if (trust.kind === 'foreign' && manifest.process !== true) throw untrusted(id, version)
      const twin = catalog.versions.find(({ manifest: other }) => other.id === id)
      if (twin?.trust.kind === 'builtin') {
        throw new HoldfastError('E_PLUGIN_BUILTIN', `plugin ${id} is a part of Holdfast`, {
          hint: 'give the plugin another id',
        })
      }
      await store.add(id, version, inspected.archive)
      await catalog.refresh()
      note('pluginInstalled', { id, version, trust: trust.kind })
      await this.told(manifest)
      const view = viewOf(manifest, trust, { enabled: this.isEnabled(id), usedBy: [] })
      return { ...view, failure: this.failureOf(manifest) }
    })
  }

  async remove(id: string, version: string): Promise<void> {
    const { catalog, store, note } = this.options
    await this.serial.run(async () => {
      const view = this.list().find((one) => one.id === id && one.version === version)
      if (view === undefined) throw this.unknown(id, version)
      if (view.trust === 'builtin') {
        throw new HoldfastError('E_PLUGIN_BUILTIN', `plugin ${id} is a part of Holdfast`, {
          hint: `holdfast plugin disable ${id} keeps it from being used`,
        })
      }
      if (view.usedBy.length > 0) throw inUse(`${id} ${version}`, view.usedBy)
      if (view.scope === 'node') await this.assertDispensable(id)
      await store.remove(id, version)
      await catalog.refresh()
      note('pluginRemoved', { id, version })
      await this.told(view)
    })
  }

  async setEnabled(id: string, enabled: boolean): Promise<void> {
    const { catalog, store, note } = this.options
    await this.serial.run(async () => {
      const versions = this.list().filter((one) => one.id === id)
      if (versions.length === 0) throw this.unknown(id, undefined)
      const usedBy = [...new Set(versions.flatMap((one) => one.usedBy))]
      if (!enabled && usedBy.length > 0) throw inUse(id, usedBy)
      const [first] = versions
      if (!enabled && first?.scope === 'node') await this.assertDispensable(id)
      const others = catalog.disabled.filter((other) => other !== id)
      await store.setDisabled(enabled ? others : [...others, id])
      await catalog.refresh()
      note(enabled ? 'pluginEnabled' : 'pluginDisabled', { id })
      if (first !== undefined) await this.told(first)
    })
  }

  doctor(): PluginsReport {
    const { modules, node } = this.options
    const own = node().activity()
    const sets = modules().map(({ module, failure, plugins }) => ({ module, failure, plugins }))
    const active = new Set(
      [...sets.flatMap(({ plugins }) => plugins), ...own].map(
        ({ id, version }) => `${id}@${version}`,
      ),
    )
    const idle = this.list().filter(({ id, version }) => !active.has(`${id}@${version}`))
    return {
      sets: [{ module: undefined, failure: undefined, plugins: own }, ...sets],
      idle: idle.map((view) => ({ id: view.id, version: view.version, reason: idleReason(view) })),
    }
  }

  /** Modules take up a plugin when they are configured, the node at once. */
  private async told({ id, scope }: Pick<PluginView, 'id' | 'scope'>): Promise<void> {
    if (scope === 'node') await this.options.node().changed(id)
  }

  private failureOf({ id, version }: PluginManifest): PluginView['failure'] {
    const found = this.options
      .node()
      .activity()
      .find((one) => one.id === id)
    return found?.version === version ? found.failure : undefined
  }

  /** Refuses what would take others with it, and the door through which this order came. */
  private async assertDispensable(id: string): Promise<void> {
    const { node, catalog } = this.options
    const [[other, reason] = []] = await node().neededBy(id)
    if (other !== undefined) {
      throw new HoldfastError('E_PLUGIN_IN_USE', `plugin ${other} needs ${id}: ${reason ?? ''}`, {
        hint: `disable ${other} first`,
      })
    }
    const isDoor = catalog.sources.some(
      ({ manifest }) =>
        manifest.id === id && manifest.needs.some((need) => needId(need) === route.id),
    )
    if (!isDoor) return
    throw new HoldfastError('E_PLUGIN_IN_USE', `plugin ${id} takes the orders of operators`, {
      hint: 'without it nobody could give another one: stop holdfastd instead',
    })
  }

  private async read(archive: PluginArchive): Promise<Inspected> {
    const { store, version: holdfast } = this.options
    const [origin, packed] = await bytesOf(archive)
    const parsed = await parseArchive(packed, origin, pluginArchive)
    const manifest = readManifest(fileOf(parsed.package, 'plugin.json') ?? '', 'plugin.json')
    if (!satisfies(holdfast, manifest.engines.holdfast)) {
      throw new HoldfastError(
        'E_PLUGIN_ENGINE',
        `plugin ${manifest.id} ${manifest.version} is made for Holdfast ${manifest.engines.holdfast}, this is ${holdfast}`,
        { hint: 'install a version of the plugin for this Holdfast' },
      )
    }
    if (!parsed.package.files.some(({ path }) => path === manifest.entry)) {
      throw new HoldfastError(
        'E_PLUGIN_ENTRY',
        `${origin}: its entry ${manifest.entry} is missing`,
        {
          hint: 'build the plugin before it is packed',
        },
      )
    }
    return { archive: parsed, manifest, trust: await store.trustOf(parsed.list, parsed.signature) }
  }

  private view({ manifest, trust }: PluginSource): PluginView {
    const { id, version } = manifest
    const uses = ({ bound, plugins }: ModulePlugins): boolean =>
      bound[id] === version || plugins.some((one) => one.id === id && one.version === version)
    const usedBy = this.options
      .modules()
      .filter(uses)
      .map(({ module }) => module)
    return viewOf(manifest, trust, { enabled: this.isEnabled(id), usedBy })
  }

  private isEnabled(id: string): boolean {
    return !this.options.catalog.disabled.includes(id)
  }

  private unknown(id: string, version: string | undefined): HoldfastError {
    const versions = this.list().filter((one) => one.id === id)
    const what = version === undefined ? id : `${id} ${version}`
    return new HoldfastError('E_PLUGIN_UNKNOWN', `there is no plugin ${what} on this node`, {
      hint:
        versions.length === 0
          ? 'holdfast plugin list shows them'
          : `versions: ${versions.map((one) => one.version).join(', ')}`,
    })
  }
}

function viewOf(
  manifest: PluginManifest,
  trust: Trust,
  more: { readonly enabled: boolean; readonly usedBy: readonly string[] },
): PluginView {
  const { id, version, scope, capabilities, requires } = manifest
  return {
    ...{ id, version, scope, capabilities, requires, ...more },
    trust: trust.kind,
    signedBy: trust.kind === 'signed' ? trust.by : undefined,
    process: manifest.process === true,
    elements: scope === 'module' ? elementNames(manifest) : [],
    failure: undefined,
  }
}

/** Nothing of its manifest can be believed: its place says what it was meant to be. */
function brokenView({ id, code, reason }: BrokenPlugin): PluginView {
  const [name = id, version = '?'] = id.split('@')
  return {
    ...{ id: name, version, scope: 'module', trust: 'foreign', signedBy: undefined },
    ...{ process: false, enabled: false, capabilities: [], elements: [], requires: {}, usedBy: [] },
    failure: { code, reason },
  }
}

function idleReason(view: PluginView): string {
  if (view.failure !== undefined) return view.failure.reason
  if (!view.enabled) return `it is disabled: holdfast plugin enable ${view.id}`
  if (view.scope === 'node') return 'it could not be used: the log of its start says why'
  if (view.elements.length === 0) return 'no module needs it'
  return `no module has ${view.elements.join(' or ')} in this version`
}

function inUse(what: string, modules: readonly string[]): HoldfastError {
  const names = modules.join(', ')
  return new HoldfastError('E_PLUGIN_IN_USE', `plugin ${what} is used by the module ${names}`, {
    hint: 'take its element out of conf/userconfig.xml, or move the module to another version, and configure it',
  })
}

async function bytesOf(archive: PluginArchive): Promise<readonly [string, Buffer]> {
  if ('data' in archive) return ['the archive', Buffer.from(archive.data, 'base64')]
  try {
    const { size } = await stat(archive.path)
    if (size <= packageBytesMax) return [archive.path, await readFile(archive.path)]
    throw new HoldfastError('E_PACKAGE_INVALID', `${archive.path} is larger than 16 MiB`)
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
    throw new HoldfastError('E_PACKAGE_INVALID', `${archive.path} can't be read`, {
      hint: 'name the archive of a plugin on this node',
      cause: thrown,
    })
  }
}

function key({ id, version }: PluginView): string {
  return `${id} ${version}`
}
