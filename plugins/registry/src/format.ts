/**
 * The index of a registry: one file, `index.json`, that holds the text of the index and its signature together, so
 * that no web server can show one without the other. The only file here that knows ajv.
 */
import { HoldfastError } from '@holdfast/sdk'
import { Ajv, type ValidateFunction } from 'ajv'

export const indexName = 'index.json'
export const indexBytesMax = 8 * 1024 * 1024
export const archiveBytesMax = 16 * 1024 * 1024

export interface RegistryVersion {
  /** semver. */
  readonly version: string
  readonly title: string
  readonly description?: string
  readonly platforms: readonly string[]
  /** Plugins: id → range. */
  readonly requires: Readonly<Record<string, string>>
  /** Name of the archive beside the index. */
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

export interface RegistryModule {
  readonly id: string
  readonly versions: readonly RegistryVersion[]
}

/** Of a plugin the index also tells what an operator must know before anything is brought here. */
export interface RegistryPluginVersion extends RegistryVersion {
  /** Range of the versions of Holdfast that it is made for. */
  readonly holdfast: string
  readonly capabilities: readonly string[]
  /** It runs as a child process. */
  readonly process: boolean
}

export interface RegistryPlugin {
  readonly id: string
  readonly versions: readonly RegistryPluginVersion[]
}

/** Everything that one place has. */
export interface Stock {
  readonly modules: readonly RegistryModule[]
  readonly plugins: readonly RegistryPlugin[]
}

export type Kind = 'module' | 'plugin'

export interface RegistryIndex extends Stock {
  readonly name: string
  /** Grows with each publication: who has seen a higher one knows that this one is old. */
  readonly number: number
  /** ISO 8601, UTC. */
  readonly issued: string
  /** After this time the index may be an old one that somebody keeps showing. */
  readonly expires: string
}

export interface SignedIndex {
  /** What is signed: the bytes of this text. */
  readonly text: string
  /** Empty: nobody signed it. */
  readonly signature: string
  readonly index: RegistryIndex
}

const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength })
const time = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' }

function entries(idPattern: string, extension: string, more: object = {}): object {
  const properties = {
    version: {
      type: 'string',
      pattern: '^\\d+\\.\\d+\\.\\d+([-+][0-9A-Za-z.+-]+)?$',
      maxLength: 64,
    },
    title: text(200),
    platforms: { type: 'array', maxItems: 8, items: text(16) },
    requires: { type: 'object', maxProperties: 64, additionalProperties: text(128) },
    file: { type: 'string', pattern: `^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}\\.${extension}$` },
    bytes: { type: 'integer', minimum: 1, maximum: archiveBytesMax },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    ...more,
  }
  const version = {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(properties),
    properties: { ...properties, description: text(2_000) },
  }
  const entry = {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'versions'],
    properties: {
      id: { type: 'string', pattern: idPattern, maxLength: 64 },
      versions: { type: 'array', minItems: 1, maxItems: 500, items: version },
    },
  }
  return { type: 'array', maxItems: 5_000, items: entry }
}

/** What a registry and what another node may say that it has. */
export const stockProperties = {
  modules: entries('^[a-z][a-z0-9_-]{0,31}$', 'safe'),
  plugins: entries('^[a-z][a-z0-9]*(-[a-z0-9]+)*$', 'hfp', {
    holdfast: text(128),
    capabilities: { type: 'array', maxItems: 64, items: text(256) },
    process: { type: 'boolean' },
  }),
}

const indexSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['format', 'version', 'name', 'number', 'issued', 'expires', 'modules'],
  properties: {
    format: { const: 'holdfast-registry' },
    version: { const: 1 },
    name: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,31}$' },
    number: { type: 'integer', minimum: 1, maximum: 2 ** 48 },
    issued: time,
    expires: time,
    ...stockProperties,
  },
}

const envelopeSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['index', 'signature'],
  properties: {
    index: { type: 'string', maxLength: indexBytesMax },
    signature: { type: 'string', maxLength: 200 },
  },
}

/** Throws `E_REGISTRY_INVALID` naming `origin`. The signature is not verified here. */
export function parseSigned(data: string, origin: string): SignedIndex {
  const { index: body, signature } = checked<{ index: string; signature: string }>(
    envelopeSchema,
    data,
    origin,
  )
  type Written = Omit<RegistryIndex, 'plugins'> & Partial<Pick<Stock, 'plugins'>>
  const written = checked<Written>(indexSchema, body, origin)
  // An index of modules alone need not say that it has no plugins.
  const index: RegistryIndex = { ...written, plugins: written.plugins ?? [] }
  assertOnce('module', index.modules, origin)
  assertOnce('plugin', index.plugins, origin)
  return { text: body, signature, index }
}

function assertOnce(kind: Kind, entries: readonly RegistryModule[], origin: string): void {
  const ids = new Set<string>()
  for (const { id, versions } of entries) {
    if (ids.has(id)) throw invalid(origin, `the ${kind} ${id} is twice in it`)
    ids.add(id)
    if (new Set(versions.map(({ version }) => version)).size < versions.length) {
      throw invalid(origin, `a version of the ${kind} ${id} is twice in it`)
    }
  }
}

/** The text that is to be signed. The same index gives the same text. */
export function indexText(index: RegistryIndex): string {
  const sorted = <T extends RegistryModule>(entries: readonly T[]): readonly T[] =>
    [...entries].sort((a, b) => (a.id < b.id ? -1 : 1))
  const stock = { modules: sorted(index.modules), plugins: sorted(index.plugins) }
  const body = { format: 'holdfast-registry', version: 1, ...index, ...stock }
  return `${JSON.stringify(body, undefined, 1)}\n`
}

export function signedText(index: string, signature: string): string {
  return `${JSON.stringify({ index, signature }, undefined, 1)}\n`
}

const validators = new Map<object, ValidateFunction>()

/** `T` is what `schema` describes. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names what its schema describes
export function checked<T>(schema: object, json: string, origin: string): T {
  const ajv = new Ajv({ allErrors: false, strict: true, strictTypes: false, ownProperties: true })
  const validate = validators.get(schema) ?? ajv.compile(schema)
  validators.set(schema, validate)
  const value = jsonOf(json, origin)
  if (validate(value)) return value as T // As checked.
  const [problem] = validate.errors ?? []
  throw invalid(origin, `${problem?.instancePath ?? ''} ${problem?.message ?? 'is malformed'}`)
}

function jsonOf(json: string, origin: string): unknown {
  try {
    return JSON.parse(json)
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    throw invalid(origin, `it is not JSON: ${thrown.message}`)
  }
}

function invalid(origin: string, what: string): HoldfastError {
  return new HoldfastError('E_REGISTRY_INVALID', `${origin} is no index of a registry: ${what}`, {
    hint: 'the index that was there before stays in use; tell whoever publishes the registry',
  })
}
