/**
 * Brings packages of modules onto this node: reads and judges what an operator names, merges an upgrade into the
 * sources that he edits, and goes one step back. Nothing here touches what is applied or runs.
 */
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import {
  HoldfastError,
  type PackageSource,
  type PackageView,
  type PluginManifest,
  type UpgradeReport,
} from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { satisfies } from '../kernel/versions.js'
import { parseSignature } from '../trust/signature.js'
import type { TrustedKeys } from '../trust/keyring.js'
import { parseXml } from '../xml/document.js'
import { readArchive } from './archive.js'
import { assemble } from './assemble.js'
import { convert, type Examine } from './convert.js'
import { type ModuleManifest, manifestOf, manifestOrNone } from './manifest.js'
import {
  contentsOf,
  macrosIn,
  originName,
  originOf,
  type Provenance,
  withOrigin,
} from './origin.js'
import { fileOf, type ModulePackage, packageBytesMax } from './package.js'
import { assertParameters, configurationName, missingParameters, withMacros } from './parameters.js'
import { mergePackages } from './upgrade.js'
import { readZip } from './zip.js'

export interface PackagesOptions {
  readonly plugins: () => readonly PluginManifest[]
  readonly keys: Pick<TrustedKeys, 'list' | 'verify'>
  readonly examine: Examine
}

/** A package as it was delivered, and what has to be said about it. */
interface Delivered extends Read {
  readonly manifest: ModuleManifest | undefined
  readonly provenance: Provenance
}

interface Read {
  readonly package: ModulePackage
  /** Name of the trusted key. */
  readonly signedBy: string | undefined
  readonly notes: readonly string[]
}

export interface Loaded {
  /** With the given parameters, and the note of where it came from. */
  readonly sources: ModulePackage
  readonly notes: readonly string[]
}

export interface Merged {
  readonly sources: ModulePackage
  /** The package as delivered, when files of it were not taken. */
  readonly offered: ModulePackage | undefined
  readonly report: UpgradeReport
}

/** `later`: the plugins that a package requires are brought when everything else of it was found good. */
export type PluginsAre = 'here' | 'later'

export class Packages {
  constructor(private readonly options: PackagesOptions) {}

  /** For an installation. Throws `E_PACKAGE_*`, `E_XML_*` or `E_PARAMETER`; nothing is written. */
  async load(source: PackageSource, plugins: PluginsAre = 'here'): Promise<Loaded> {
    const { parameters = {} } = source
    const delivered = await this.deliver(source, plugins)
    const given = new Map(Object.entries(parameters))
    const configured = withParameters(delivered, given)
    const sources = withOrigin(configured, delivered.package, delivered.provenance)
    return { sources, notes: [...delivered.notes, ...missingNotes(sources, delivered.manifest)] }
  }

  /** For an upgrade of `ours`, the sources as the operator has them now. */
  async merge(
    ours: ModulePackage,
    source: PackageSource,
    plugins: PluginsAre = 'here',
  ): Promise<Merged> {
    const { path, parameters = {} } = source
    const delivered = await this.deliver(source, plugins)
    const before = manifestOrNone(ours)
    const id = delivered.manifest?.id
    if (before !== undefined && id !== undefined && before.id !== id) {
      throw new HoldfastError('E_PACKAGE_OTHER', `${path} is the module ${id}, not ${before.id}`, {
        hint: 'name a package of the same module, or install this one under another name',
      })
    }
    const merged = mergePackages(ours, delivered.package)
    const given = new Map(Object.entries(parameters))
    const configured = withParameters({ ...delivered, package: merged.package }, given)
    const sources = withOrigin(configured, delivered.package, delivered.provenance)
    return {
      sources,
      offered: merged.conflicts.length > 0 ? delivered.package : undefined,
      report: {
        from: before?.version ?? '0.0.0',
        to: delivered.manifest?.version ?? '0.0.0',
        taken: merged.taken,
        conflicts: merged.conflicts,
        notes: [...delivered.notes, ...merged.notes, ...missingNotes(sources, delivered.manifest)],
      },
    }
  }

  async inspect(path: string): Promise<PackageView> {
    const { package: sources, signedBy, notes } = await this.read(path)
    const manifest = manifestOf(sources, path)
    const misfits = manifest === undefined ? [] : this.misfits(manifest, 'here')
    return { ...viewOf(sources, path), signedBy, notes: [...notes, ...misfits] }
  }

  private async deliver(
    { path, from = path, vouched }: PackageSource,
    plugins: PluginsAre,
  ): Promise<Delivered> {
    const read = await this.read(path, vouched)
    const manifest = manifestOf(read.package, path)
    // Said while the author's file is at hand; later it is the operator's, who did not write it.
    parseXml(fileOf(read.package, configurationName) ?? '', `${from}/${configurationName}`)
    const misfits = manifest === undefined ? [] : this.misfits(manifest, plugins)
    if (misfits.length > 0) {
      throw new HoldfastError(
        'E_PACKAGE_REQUIRES',
        `${from} can't be used here: ${misfits.join('; ')}`,
        { hint: 'install what it needs first ("holdfast plugin list" shows what is there)' },
      )
    }
    const { signedBy } = read
    const unsigned = signedBy === undefined && vouched !== undefined ? { vouched } : {}
    const signed = signedBy === undefined ? {} : { signedBy }
    return { ...read, manifest, provenance: { from, ...signed, ...unsigned } }
  }

  private async read(path: string, vouched?: string): Promise<Read> {
    try {
      if ((await stat(path)).isDirectory()) {
        return { package: await assemble(path), signedBy: undefined, notes: [] }
      }
      return (await isZip(path)) ? await this.readForeign(path) : await this.readOwn(path, vouched)
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT' && codeOf(thrown) !== 'ENOTDIR') throw thrown
      throw new HoldfastError('E_PACKAGE_INVALID', `there is no ${path}`, {
        hint: 'name a directory with the sources of a module, or a .safe archive',
      })
    }
  }

  private async readOwn(path: string, vouched: string | undefined): Promise<Read> {
    const { package: sources, list, signature } = await readArchive(path)
    if (signature === undefined) {
      const note =
        vouched === undefined
          ? 'the archive is not signed: its scripts run as root'
          : `nobody signed the archive itself: ${vouched}, answers for it`
      return { package: sources, signedBy: undefined, notes: [note] }
    }
    const key = await this.options.keys.verify('module', list, signature)
    if (key !== undefined) return { package: sources, signedBy: key.name, notes: [] }
    const { key: id } = parseSignature(signature)
    const claimed = (await this.options.keys.list()).find((one) => one.id === id)
    if (claimed !== undefined) {
      throw new HoldfastError(
        'E_PACKAGE_SIGNATURE',
        `${path}: its signature is not that of ${claimed.name}`,
        {
          hint: 'somebody changed the archive: get it again from where it was published',
        },
      )
    }
    const note = `the archive is signed with the key ${id}, which this node does not trust: its scripts run as root`
    return { package: sources, signedBy: undefined, notes: [note] }
  }

  private async readForeign(path: string): Promise<Read> {
    const { size } = await stat(path)
    if (size > packageBytesMax) {
      throw new HoldfastError('E_PACKAGE_INVALID', `${path} is larger than 16 MiB`)
    }
    const files = await readZip(await readFile(path), path)
    const id = idOf(path)
    const { examine } = this.options
    const { package: sources, report } = convert(files, { id, origin: path, examine })
    return { package: sources, signedBy: undefined, notes: report }
  }

  /** Why a module can't be used on this node, each a sentence. */
  private misfits(
    { platforms, requires }: ModuleManifest,
    pluginsAre: PluginsAre,
  ): readonly string[] {
    const { plugins } = this.options
    const reasons: string[] = []
    if (!platforms.some((platform) => platform === process.platform)) {
      reasons.push(`it is made for ${platforms.join(', ')}, this is ${process.platform}`)
    }
    for (const [id, range] of pluginsAre === 'here' ? Object.entries(requires) : []) {
      const versions = plugins().flatMap((one) => (one.id === id ? [one.version] : []))
      if (versions.some((version) => satisfies(version, range))) continue
      const present =
        versions.length === 0 ? 'it is not installed' : `here is ${versions.join(', ')}`
      reasons.push(`it needs the plugin ${id} ${range}: ${present}`)
    }
    return reasons
  }
}

/** A package or the sources of an installed module. */
export function viewOf(sources: ModulePackage, name: string): PackageView {
  const manifest = manifestOrNone(sources)
  const origin = originOf(sources)
  const values = macrosIn(sources)
  const { properties = {}, required = [] } = manifest?.parameters ?? {}
  const contents = contentsOf(sources)
  const paths = new Set([...contents.keys(), ...(origin?.files.keys() ?? [])])
  const isChanged = (path: string): boolean => contents.get(path) !== origin?.files.get(path)
  return {
    id: manifest?.id ?? basename(name),
    version: manifest?.version ?? '0.0.0',
    title: manifest?.title ?? basename(name),
    description: manifest?.description,
    platforms: manifest?.platforms ?? [],
    requires: manifest?.requires ?? {},
    parameters: Object.entries(properties).map(([parameter, property]) => ({
      ...{ name: parameter, type: property.type, title: property.title },
      description: property.description,
      required: required.includes(parameter),
      value: values.get(parameter) ?? '',
      ...(property.enum === undefined ? {} : { choices: property.enum.map(String) }),
    })),
    files: sources.files.map(({ path }) => path).filter((path) => path !== originName),
    from: origin?.from,
    signedBy: origin?.signedBy,
    vouched: origin?.vouched,
    changed: origin === undefined ? [] : [...paths].filter(isChanged).sort(),
    notes: missingNotes(sources, manifest),
  }
}

function withParameters(
  { package: sources, manifest }: Pick<Delivered, 'package' | 'manifest'>,
  given: ReadonlyMap<string, string>,
): ModulePackage {
  assertParameters(given, manifest)
  if (given.size === 0) return sources
  const xml = withMacros(fileOf(sources, configurationName) ?? '', given, configurationName)
  const files = sources.files.map((file) =>
    file.path === configurationName ? { ...file, data: Buffer.from(xml) } : file,
  )
  return { files }
}

function missingNotes(
  sources: ModulePackage,
  manifest: ModuleManifest | undefined,
): readonly string[] {
  const missing = missingParameters(macrosIn(sources), manifest)
  return missing.length === 0
    ? []
    : [`still to be given before it is configured: ${missing.join(', ')}`]
}

async function isZip(path: string): Promise<boolean> {
  const { size } = await stat(path)
  if (size > packageBytesMax) return false
  const head = (await readFile(path)).subarray(0, 4).toString('latin1')
  return head === 'PK\x03\x04' || head === 'PK\x05\x06'
}

function idOf(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/\.(safe|zip)$/, '')
  return name
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 32)
}
