/**
 * `origin.json` in the sources of an installed module: what was installed, as hashes, so that an upgrade can tell what
 * the operator changed since. It travels with the sources to every node. Pure.
 */
import { HoldfastError } from '@holdfast/sdk'
import { compileSchema, type SchemaCheck } from '../schema/validate.js'
import { sha256Of } from './listing.js'
import type { Contents } from './merge.js'
import { fileOf, type ModulePackage, type PackageFile } from './package.js'
import { configurationName, macrosOf, withMacros } from './parameters.js'

export const originName = 'origin.json'

export interface Origin extends Provenance {
  readonly files: Contents
  /** Values of the macros as they were delivered. */
  readonly macros: Contents
}

export interface Provenance {
  /** A path, an address, or the name of a registry. */
  readonly from: string
  /** Name of the trusted key that signed the archive. */
  readonly signedBy?: string
  /** Who answered for an archive that nobody signed. */
  readonly vouched?: string
}

/** Every file but the origin itself; of the configuration, the text without the values of its macros. */
export function contentsOf(sources: ModulePackage): Contents {
  const entries = sources.files
    .filter(({ path }) => path !== originName)
    .map(({ path, isExecutable, data }) => {
      const content = path === configurationName ? withoutValues(sources, data) : data
      return [path, `${sha256Of(content)}${isExecutable ? 'x' : ''}`] as const
    })
  return new Map(entries)
}

/** A configuration that can't be read has none: what is wrong with it is said when it is to be applied. */
export function macrosIn(sources: ModulePackage): Contents {
  try {
    return macrosOf(fileOf(sources, configurationName) ?? '', configurationName)
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return new Map()
    throw thrown
  }
}

export function withOrigin(
  sources: ModulePackage,
  delivered: ModulePackage,
  { from, signedBy, vouched }: Provenance,
): ModulePackage {
  const body = {
    ...{ format: 'holdfast-origin', version: 1, from, signedBy, vouched },
    files: Object.fromEntries(contentsOf(delivered)),
    macros: Object.fromEntries(macrosIn(delivered)),
  }
  const data = Buffer.from(`${JSON.stringify(body, undefined, 1)}\n`)
  const origin: PackageFile = { path: originName, isExecutable: false, data }
  const others = sources.files.filter(({ path }) => path !== originName)
  const files = [...others, origin].sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files }
}

/** Undefined: there is none that can be read; then everything that differs counts as changed by hand. */
export function originOf(sources: ModulePackage): Origin | undefined {
  const value = jsonOf(fileOf(sources, originName))
  compiled ??= compileSchema(originSchema)
  if (value === undefined || compiled(value).length > 0) return undefined
  const { files, macros, ...provenance } = value as OriginFile // As checked.
  return {
    ...provenance,
    files: new Map(Object.entries(files)),
    macros: new Map(Object.entries(macros)),
  }
}

interface OriginFile extends Provenance {
  readonly files: Readonly<Record<string, string>>
  readonly macros: Readonly<Record<string, string>>
}

const texts = { type: 'object', additionalProperties: { type: 'string' } }
const originSchema = {
  type: 'object',
  required: ['format', 'version', 'from', 'files', 'macros'],
  properties: {
    format: { const: 'holdfast-origin' },
    version: { const: 1 },
    from: { type: 'string' },
    signedBy: { type: 'string' },
    vouched: { type: 'string' },
    files: texts,
    macros: texts,
  },
}

let compiled: SchemaCheck | undefined

function withoutValues(sources: ModulePackage, data: Buffer): string {
  const xml = data.toString('utf8')
  const empty = new Map([...macrosIn(sources).keys()].map((name) => [name, '']))
  return empty.size === 0 ? xml : withMacros(xml, empty, configurationName)
}

function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}
