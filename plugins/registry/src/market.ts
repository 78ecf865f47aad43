/** Everything that offers modules to this node, in one place: finding one, bringing it here, copying a registry. */
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Control, HoldfastError, type Peers, type Store } from '@holdfast/sdk'
import { choose, type Choice, type Offer, parseWanted } from './choose.js'
import { addressSource, ArchiveStore, readBytes, type Source } from './download.js'
import {
  archiveBytesMax,
  indexBytesMax,
  indexName,
  parseSigned,
  type RegistryModule,
  type RegistryVersion,
} from './format.js'
import type { Progress } from './jobs.js'
import { askPeers, type PeerArchives, peerSource } from './peers.js'
import type { Registries } from './registries.js'

/** Names of the places that are no registries; registries can't have them. */
export const bundledName = 'bundled'
export const hereName = 'here'
const rememberedMax = 500

export interface Fetched {
  /** Absolute path of the archive on this node. */
  readonly path: string
  /** For people: where it came from. */
  readonly from: string
}

interface Remembered {
  readonly id: string
  readonly version: RegistryVersion
}

export interface MarketOptions {
  readonly registries: Registries
  readonly peers: Peers
  readonly control: Pick<Control, 'packageInspect'>
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
      { source: bundledName, modules: await this.bundled() },
      { source: hereName, modules: await this.remembered() },
      ...usable.map(({ name, index }) => ({ source: name, modules: index?.modules ?? [] })),
      ...(await askPeers(peers)),
    ]
  }

  /** `what`: `[registry/]id[@range]`. */
  async fetch(
    what: string,
    signal: AbortSignal,
    tell: (progress: Progress) => void,
  ): Promise<Fetched> {
    const choice = choose(parseWanted(what), await this.offers(), process.platform)
    const { source, id, version } = choice
    const from = `${source}/${id}@${version.version}`
    if (source === bundledName) {
      return { path: await this.bundledPath(version), from }
    }
    const path = await this.bring(choice, signal, tell)
    await this.remember({ id, version })
    return { path, from }
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
    const versions = (registry.index?.modules ?? []).flatMap((module) => module.versions)
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

  async modules(): Promise<readonly RegistryModule[]> {
    return merged([...(await this.bundled()), ...(await this.remembered())])
  }

  async path(sha256: string): Promise<string | undefined> {
    const bundled = (await this.bundled()).flatMap(({ versions }) => versions)
    const delivered = bundled.find((version) => version.sha256 === sha256)
    if (delivered !== undefined) return await this.bundledPath(delivered)
    const known = (await this.remembered()).flatMap(({ versions }) => versions)
    return known.some((version) => version.sha256 === sha256)
      ? this.options.archives.path(sha256)
      : undefined
  }

  private async bring(
    { source, version }: Choice,
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

  private async bundled(): Promise<readonly RegistryModule[]> {
    const path = join(this.options.bundled, indexName)
    try {
      if ((await stat(path)).size > indexBytesMax) return []
      return parseSigned(await readFile(path, 'utf8'), path).index.modules
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return []
      throw thrown
    }
  }

  private async remembered(): Promise<readonly RegistryModule[]> {
    const all = (await this.options.store.read<readonly Remembered[]>('archives')) ?? []
    const present: RegistryModule[] = []
    for (const { id, version } of all) {
      if (await this.options.archives.has(version)) present.push({ id, versions: [version] })
    }
    return merged(present)
  }

  private async remember(added: Remembered): Promise<void> {
    const all = (await this.options.store.read<readonly Remembered[]>('archives')) ?? []
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

/** One entry a module; of two archives that are the same version the first. */
function merged(modules: readonly RegistryModule[]): readonly RegistryModule[] {
  const versions = new Map<string, Map<string, RegistryVersion>>()
  for (const module of modules) {
    const known = versions.get(module.id) ?? new Map<string, RegistryVersion>()
    versions.set(module.id, known)
    for (const one of module.versions) {
      if (!known.has(one.version)) known.set(one.version, one)
    }
  }
  return [...versions].map(([id, known]) => ({ id, versions: [...known.values()] }))
}
