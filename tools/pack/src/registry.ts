/**
 * A registry is a directory that any web server can offer: archives and one signed index. Publishing puts an archive
 * there and writes the next index; the archives come first, so that no index names what is not there.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  fileOf,
  manifestOf,
  type ModulePackage,
  type ModuleManifest,
  parseArchive,
  pluginArchive,
  readPluginManifest,
  sha256Of,
  signatureOf,
} from '@holdfast/core/packages'
import {
  indexName,
  indexText,
  parseSigned,
  type RegistryIndex,
  type RegistryPluginVersion,
  type RegistryVersion,
  signedText,
  type Stock,
} from '@holdfast/plugin-registry/format'
import { HoldfastError } from '@holdfast/sdk'
import { packModule } from './module.js'

export interface Publication {
  /** Of the registry; only for a new one. */
  readonly name: string
  readonly nowMs: number
  readonly validMs: number
  /** Undefined: an index that nobody signs, for what is delivered with the program itself. */
  readonly privatePem: string | undefined
}

const nothing: Stock = { modules: [], plugins: [] }

/** Adds archives to the registry in `directory`. A version that is there with other bytes is refused. */
export async function publish(
  archives: readonly string[],
  directory: string,
  publication: Publication,
): Promise<RegistryIndex> {
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const before = await presentIndex(directory)
  let stock: Stock = before ?? nothing
  for (const archive of archives) {
    const data = await bytesOf(archive)
    const added = archive.endsWith('.hfp')
      ? await withPlugin(stock, archive, data)
      : await withModule(stock, archive, data)
    await writeWhole(join(directory, added.file), data)
    stock = added.stock
  }
  return await writeIndex(directory, before, stock, publication)
}

interface Added {
  readonly stock: Stock
  /** Name of the archive in the registry. */
  readonly file: string
}

async function withModule(stock: Stock, archive: string, data: Buffer): Promise<Added> {
  const { package: sources } = await parseArchive(data, archive)
  const manifest = manifestOf(sources, archive)
  if (manifest === undefined) throw new Error(`${archive} was read without a module.json`)
  const added = moduleVersion(manifest, data)
  return {
    file: added.file,
    stock: { ...stock, modules: withVersion(stock.modules, manifest.id, added) },
  }
}

async function withPlugin(stock: Stock, archive: string, data: Buffer): Promise<Added> {
  const { package: files } = await parseArchive(data, archive, pluginArchive)
  const manifest = readPluginManifest(fileOf(files, 'plugin.json') ?? '', `${archive}/plugin.json`)
  const { id, version, platforms, requires, engines, capabilities } = manifest
  const added: RegistryPluginVersion = {
    ...{ version, title: titleOf(files) ?? id, platforms, requires, capabilities },
    ...{ holdfast: engines.holdfast, process: manifest.process === true },
    ...{ file: `${id}-${version}.hfp`, bytes: data.byteLength, sha256: sha256Of(data) },
  }
  return {
    file: added.file,
    stock: { ...stock, plugins: withVersion(stock.plugins, id, added) },
  }
}

/** plugin.json has no room for one; the package of its author has. */
function titleOf(files: ModulePackage): string | undefined {
  try {
    const value: unknown = JSON.parse(fileOf(files, 'package.json') ?? '{}')
    if (typeof value !== 'object' || value === null || !('description' in value)) return undefined
    const { description } = value
    return typeof description === 'string' && description !== ''
      ? description.slice(0, 200)
      : undefined
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

async function bytesOf(archive: string): Promise<Buffer> {
  try {
    return await readFile(archive)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new HoldfastError('E_PACKAGE_INVALID', `${archive} can't be read: ${error.message}`, {
      hint: 'make an archive with "holdfast module package DIR" or "holdfast-plugin pack DIR"',
      cause: error,
    })
  }
}

/** Beside the modules: what they share, what was built, and what a build that failed has left. */
const notModules: ReadonlySet<string> = new Set(['lib', 'dist', 'dist.new'])

/** Packs every module of a source tree into `directory`; what an earlier build left there goes. */
export async function buildRegistry(
  sources: string,
  directory: string,
  publication: Publication,
): Promise<RegistryIndex> {
  const entries = await readdir(sources, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  let modules = nothing.modules
  const fresh = `${directory}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true, mode: 0o755 })
  for (const name of names.filter((one) => !notModules.has(one)).sort()) {
    const { manifest, data } = await packModule(join(sources, name), publication.privatePem)
    const added = moduleVersion(manifest, data)
    modules = withVersion(modules, manifest.id, added)
    await writeWhole(join(fresh, added.file), data)
  }
  const index = await writeIndex(fresh, undefined, { ...nothing, modules }, publication)
  await rm(directory, { recursive: true, force: true })
  await rename(fresh, directory)
  return index
}

function moduleVersion(manifest: ModuleManifest, data: Buffer): RegistryVersion {
  const { id, version, title, description, platforms, requires } = manifest
  return {
    ...{ version, title, platforms, requires },
    ...(description === undefined ? {} : { description }),
    ...{ file: `${id}-${version}.safe`, bytes: data.byteLength, sha256: sha256Of(data) },
  }
}

interface Entry<V> {
  readonly id: string
  readonly versions: readonly V[]
}

function withVersion<V extends RegistryVersion>(
  entries: readonly Entry<V>[],
  id: string,
  added: V,
): readonly Entry<V>[] {
  const { version } = added
  const versions = entries.find((entry) => entry.id === id)?.versions ?? []
  const same = versions.find((one) => one.version === version)
  if (same !== undefined && same.sha256 !== added.sha256) {
    throw new HoldfastError(
      'E_REGISTRY_PUBLISHED',
      `${id} ${version} is published already, with other content`,
      { hint: 'what is published never changes: raise the version in module.json or plugin.json' },
    )
  }
  const others = versions.filter((one) => one !== same)
  return [...entries.filter((entry) => entry.id !== id), { id, versions: [...others, added] }]
}

async function writeIndex(
  directory: string,
  before: RegistryIndex | undefined,
  { modules, plugins }: Stock,
  { name, nowMs, validMs, privatePem }: Publication,
): Promise<RegistryIndex> {
  const index: RegistryIndex = {
    name: before?.name ?? name,
    number: (before?.number ?? 0) + 1,
    issued: new Date(nowMs).toISOString(),
    expires: new Date(nowMs + validMs).toISOString(),
    modules,
    plugins,
  }
  const text = indexText(index)
  const signature =
    privatePem === undefined ? '' : signatureOf('index', Buffer.from(text), privatePem)
  const signed = signedText(text, signature)
  // Read back like any client: an index that nobody could read is never published.
  parseSigned(signed, 'the new index')
  await writeWhole(join(directory, indexName), Buffer.from(signed))
  return index
}

async function presentIndex(directory: string): Promise<RegistryIndex | undefined> {
  const path = join(directory, indexName)
  try {
    return parseSigned(await readFile(path, 'utf8'), path).index
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

async function writeWhole(path: string, data: Buffer): Promise<void> {
  await writeFile(`${path}.new`, data, { mode: 0o644, flush: true })
  await rename(`${path}.new`, path)
}
