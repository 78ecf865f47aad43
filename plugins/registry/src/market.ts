/** Everything that offers modules and plugins to this node, in one place: finding one, bringing it here, copying a registry. */
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Control, HoldfastError, type Peers, type Store } from '@holdfast/sdk'
import { choose, type Offer, moduleShelves, parseWanted, pluginShelves } from './choose.js'
import { addressSource, ArchiveStore, readBytes, type Source } from './download.js'
import {
  archiveBytesMax,
  indexBytesMax,
  indexName,
  type Kind,
  parseSigned,
  type RegistryModule,
  type RegistryPlugin,
  type RegistryVersion,
  type Stock,
} from './format.js'
import type { Progress } from './jobs.js'
import { askPeers, type PeerArchives, peerSource } from './peers.js'
import type { Registries } from './registries.js'
import { type Demand, demandsOf, type Needed, resolvePlugins } from './resolve.js'

/** Names of the places that are no registries; registries can't have them. */
export const bundledName = 'bundled'
export const hereName = 'here'
const rememberedMax = 500

export interface Fetched {
  /** Absolute path of the archive on this node. */
  readonly path: string
  /** For people: where it came from. */
  readonly from: string
  /** For people: who answers for its bytes, beside a signature in it. Absent: nobody does. */
  readonly vouched?: string
}

/** One archive of this node, as its index described it. */
type Remembered =
  | ({ readonly kind: 'module' } & Entry<RegistryModule>)
  | ({ readonly kind: 'plugin' } & Entry<RegistryPlugin>)

interface Entry<T extends RegistryModule> {
  readonly id: string
  readonly version: T['versions'][number]
  /** The first time that it was fetched. */
  readonly from: string
  readonly vouched?: string
}

const nothing: Stock = { modules: [], plugins: [] }

export interface MarketOptions {
  readonly registries: Registries
  readonly peers: Peers
  readonly control: Pick<Control, 'packageInspect' | 'plugins' | 'version'>
  readonly store: Pick<Store, 'read' | 'write'>
  readonly archives: ArchiveStore
  /** Directory of the registry that is delivered with Holdfast. */
  readonly bundled: string
}

export class Market implements PeerArchives {
  constructor(private readonly options: MarketOptions) {}

  /** In the order in which they are asked: what needs no network first. */
  async offers(): Promise<readonly Offer[]> {
    const { registries, peers } = this.options
    const usable = registries.list().filter((one) => registries.expired(one) === undefined)
    return [
      { source: bundledName, ...(await this.bundled()) },
      { source: hereName, ...(await this.remembered()) },
      ...usable.map(({ name, index }) => ({ source: name, ...(index ?? nothing) })),
      ...(await askPeers(peers)),
    ]
  }

  /** `what`: `[registry/]id[@range]`. */
  async fetch(
    what: string,
    kind: Kind,
    signal: AbortSignal,
    tell: (progress: Progress) => void,
  ): Promise<Fetched> {
    const wanted = parseWanted(what)
    const offers = await this.offers()
    const { source, ...found } =
      kind === 'module'
        ? { kind, ...choose(wanted, moduleShelves(offers), process.platform) }
        : { kind, ...choose(wanted, pluginShelves(offers), process.platform) }
    const { from, ...vouched } = await this.origin(source, found)
    if (source === bundledName) {
      return { path: await this.bundledPath(found.version), from, ...vouched }
    }
    const path = await this.bring(source, found.version, signal, tell)
    await this.remember({ ...found, from, ...vouched })
    return { path, from, ...vouched }
  }

  /** Where an archive of `source` comes from, and who says that these are the right bytes. */
  private async origin(
    source: string,
    { id, version }: { readonly id: string; readonly version: RegistryVersion },
  ): Promise<Omit<Fetched, 'path'>> {
    const from = `${source}/${id}@${version.version}`
    if (source === bundledName) return { from, vouched: 'Holdfast, with which it was delivered' }
    if (source === hereName) {
      const before = (await this.archives()).find((one) => one.version.sha256 === version.sha256)
      if (before === undefined) return { from }
      const { vouched } = before
      return { from: before.from, ...(vouched === undefined ? {} : { vouched }) }
    }
    const registry = this.options.registries.list().find(({ name }) => name === source)
    if (registry === undefined) return { from, vouched: `node ${source}, a member of this cluster` }
    const { key } = registry
    return key === '' ? { from } : { from, vouched: `the index of ${source}, signed by ${key}` }
  }

  /**
   * The plugins that are needed for `requires` (of `by`, id → range), or for the plugin that is named as for `fetch`.
   * Throws with every reason why they can't be had.
   */
  async resolve(
    request:
      | { readonly requires: Readonly<Record<string, string>>; readonly by: string }
      | { readonly plugin: string },
  ): Promise<readonly Needed[]> {
    const { control } = this.options
    const offers = await this.offers()
    const present = (await control.plugins())
      .filter(({ failure }) => failure === undefined)
      .map((one) => ({ ...one, builtin: one.trust === 'builtin' }))
    const around = { present, platform: process.platform, holdfast: control.version }
    if ('requires' in request) {
      return resolvePlugins(demandsOf(request.requires, request.by), { ...around, offers })
    }
    const { source, id, version } = choose(
      parseWanted(request.plugin),
      pluginShelves(offers),
      process.platform,
    )
    const only = offers.map((offer) => ({
      ...offer,
      plugins: offer.plugins.filter((plugin) => plugin.id !== id || offer.source === source),
    }))
    const demand: Demand = { id, range: version.version, by: 'this order' }
    return resolvePlugins([demand], { ...around, offers: only })
  }

  /** An archive at an address that no index names: somebody must answer for it, by a signature or by `unsigned`. */
  async fetchAddress(address: string, unsigned: boolean, signal: AbortSignal): Promise<Fetched> {
    const data = await readBytes(new URL(address), archiveBytesMax, signal)
    const path = this.options.archives.path(createHash('sha256').update(data).digest('hex'))
    await this.options.archives.open()
    await writeFile(`${path}.new`, data, { mode: 0o600 })
    await rename(`${path}.new`, path)
    try {
      const { signedBy } = await this.options.control.packageInspect({ path })
      if (signedBy !== undefined || unsigned) return { path, from: address }
    } catch (thrown) {
      await rm(path, { force: true })
      throw thrown
    }
    await rm(path, { force: true })
    throw new HoldfastError(
      'E_REGISTRY_SIGNATURE',
      `nobody whom this node trusts signed ${address}`,
      {
        hint: 'trust the key of its publisher ("holdfast trust add"), or repeat with --unsigned',
      },
    )
  }

  /** Copies every archive of a registry and then its index, still signed: any web server can offer the directory. */
  async mirror(
    name: string,
    directory: string,
    signal: AbortSignal,
    tell: (progress: Progress) => void,
  ): Promise<{ readonly archives: number }> {
    const { registries } = this.options
    const registry = registries.one(name)
    const versions = versionsOf(registry.index ?? nothing)
    const total = versions.reduce((sum, { bytes }) => sum + bytes, 0)
    const place = new ArchiveStore(directory)
    let before = 0
    for (const version of versions) {
      const target = join(directory, version.file)
      const done = before
      before += version.bytes
      if (await isArchive(target, version)) continue
      const source = addressSource(new URL(version.file, registry.address))
      const path = await place.bring(version, source, signal, (bytes) => {
        tell({ bytes: done + bytes, total })
      })
      await rename(path, target)
    }
    // Last: an index never names what is not there.
    await mkdir(directory, { recursive: true })
    await copyFile(registries.path(name), join(directory, `${indexName}.new`))
    await rename(join(directory, `${indexName}.new`), join(directory, indexName))
    return { archives: versions.length }
  }

  async stock(): Promise<Stock> {
    const bundled = await this.bundled()
    const here = await this.remembered()
    return {
      modules: merged([...bundled.modules, ...here.modules]),
      plugins: merged([...bundled.plugins, ...here.plugins]),
    }
  }

  async path(sha256: string): Promise<string | undefined> {
    const isWanted = (version: RegistryVersion): boolean => version.sha256 === sha256
    const delivered = versionsOf(await this.bundled()).find(isWanted)
    if (delivered !== undefined) return await this.bundledPath(delivered)
    const isKnown = versionsOf(await this.remembered()).some(isWanted)
    return isKnown ? this.options.archives.path(sha256) : undefined
  }

  private async bring(
    source: string,
    version: RegistryVersion,
    signal: AbortSignal,
    tell: (progress: Progress) => void,
  ): Promise<string> {
    const total = version.bytes
    return await this.options.archives.bring(
      version,
      this.sourceOf(source, version),
      signal,
      (bytes) => {
        tell({ bytes, total })
      },
    )
  }

  private sourceOf(source: string, version: RegistryVersion): Source {
    const { registries, peers } = this.options
    const registry = registries.list().find(({ name }) => name === source)
    if (registry !== undefined) return addressSource(new URL(version.file, registry.address))
    return peerSource(peers, source, version)
  }

  /** It lies beside the programs and is as trusted as they are; its hashes are checked all the same. */
  private async bundledPath(version: RegistryVersion): Promise<string> {
    const path = join(this.options.bundled, version.file)
    if (await isArchive(path, version)) return path
    throw new HoldfastError('E_REGISTRY_HASH', `${path} is not the archive of its index`, {
      hint: 'install Holdfast again',
    })
  }

  private async bundled(): Promise<Stock> {
    const path = join(this.options.bundled, indexName)
    try {
      if ((await stat(path)).size > indexBytesMax) return nothing
      return parseSigned(await readFile(path, 'utf8'), path).index
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return nothing
      throw thrown
    }
  }

  private async remembered(): Promise<Stock> {
    const all = await this.archives()
    const modules: RegistryModule[] = []
    const plugins: RegistryPlugin[] = []
    for (const one of all) {
      if (!(await this.options.archives.has(one.version))) continue
      if (one.kind === 'plugin') plugins.push({ id: one.id, versions: [one.version] })
      else modules.push({ id: one.id, versions: [one.version] })
    }
    return { modules: merged(modules), plugins: merged(plugins) }
  }

  private async archives(): Promise<readonly Remembered[]> {
    return (await this.options.store.read<readonly Remembered[]>('archives')) ?? []
  }

  private async remember(added: Remembered): Promise<void> {
    const all = await this.archives()
    const others = all.filter(({ version }) => version.sha256 !== added.version.sha256)
    await this.options.store.write('archives', [added, ...others].slice(0, rememberedMax))
  }
}

async function isArchive(path: string, { sha256 }: RegistryVersion): Promise<boolean> {
  try {
    const data = await readFile(path)
    return createHash('sha256').update(data).digest('hex') === sha256
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return false
    throw thrown
  }
}

function versionsOf({ modules, plugins }: Stock): readonly RegistryVersion[] {
  return [...modules, ...plugins].flatMap((entry): readonly RegistryVersion[] => entry.versions)
}

/** One entry an id; of two archives that are the same version the first. */
function merged<V extends RegistryVersion>(
  entries: readonly { readonly id: string; readonly versions: readonly V[] }[],
): readonly { readonly id: string; readonly versions: readonly V[] }[] {
  const versions = new Map<string, Map<string, V>>()
  for (const entry of entries) {
    const known = versions.get(entry.id) ?? new Map<string, V>()
    versions.set(entry.id, known)
    for (const one of entry.versions) {
      if (!known.has(one.version)) known.set(one.version, one)
    }
  }
  return [...versions].map(([id, known]) => ({ id, versions: [...known.values()] }))
}
