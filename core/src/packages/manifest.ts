/** `module.json`: what a package is, what it needs, and the parameters that whoever installs it is asked for. */
import { HoldfastError, type PluginManifest } from '@holdfast/sdk'
import { isRange, isVersion } from '../kernel/versions.js'
import { compileSchema, type SchemaCheck } from '../schema/validate.js'
import { fileOf, type ModulePackage } from './package.js'

export const manifestName = 'module.json'

export interface ModuleManifest {
  readonly id: string
  /** semver. */
  readonly version: string
  readonly title: string
  readonly description?: string
  readonly platforms: readonly PluginManifest['platforms'][number][]
  /** Plugins that its configuration uses: id → range. They say themselves which Holdfast they are made for. */
  readonly requires: Readonly<Record<string, string>>
  /** JSON schema of an object; each property is a `<macro>` of `conf/userconfig.xml`, whose value is the default. */
  readonly parameters: ParameterSchema
  /** Files of `lib/` beside the module's directory that are packed into its `bin/`. */
  readonly shared?: readonly string[]
  readonly licence?: string
  readonly homepage?: string
  readonly icon?: string
  readonly keywords?: readonly string[]
}

export interface ParameterSchema {
  readonly type: 'object'
  readonly required?: readonly string[]
  readonly properties: Readonly<Record<string, ParameterProperty>>
}

/** Any JSON schema of a text, a number or a boolean; `title` and `description` are what the form shows. */
export interface ParameterProperty {
  readonly type: 'string' | 'integer' | 'number' | 'boolean'
  readonly title?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
}

const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength })
const macroName = '^[A-Za-z_][A-Za-z0-9_]{0,63}$'

const manifestSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'version', 'title', 'platforms'],
  properties: {
    id: { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,31}$' },
    version: text(64),
    title: text(200),
    description: text(2_000),
    platforms: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: ['linux', 'win32'] },
    },
    requires: {
      type: 'object',
      maxProperties: 64,
      propertyNames: { pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' },
      additionalProperties: text(128),
      default: {},
    },
    parameters: {
      type: 'object',
      additionalProperties: false,
      required: ['properties'],
      properties: {
        type: { const: 'object' },
        additionalProperties: { const: false },
        required: { type: 'array', maxItems: 200, items: { type: 'string', pattern: macroName } },
        properties: {
          type: 'object',
          maxProperties: 200,
          propertyNames: { pattern: macroName },
          additionalProperties: {
            type: 'object',
            required: ['type'],
            properties: {
              type: { enum: ['string', 'integer', 'number', 'boolean'] },
              title: text(200),
              description: text(2_000),
            },
          },
        },
      },
      default: { type: 'object', properties: {} },
    },
    shared: {
      type: 'array',
      maxItems: 64,
      uniqueItems: true,
      items: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$' },
    },
    licence: text(64),
    homepage: { type: 'string', pattern: '^https?://', maxLength: 500 },
    icon: text(240),
    keywords: { type: 'array', maxItems: 32, items: text(40) },
    $schema: { type: 'string' },
  },
}

let compiled: SchemaCheck | undefined

/** Throws `E_PACKAGE_MANIFEST` with every problem. `origin` is named in it. */
export function parseManifest(json: string, origin: string): ModuleManifest {
  compiled ??= compileSchema(manifestSchema)
  const value = jsonOf(json, origin)
  const problems = compiled(value).map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  if (problems.length > 0) throw malformed(origin, problems)
  const manifest = value as ModuleManifest // The schema above is this type.
  const semantic = semanticProblems(manifest)
  if (semantic.length > 0) throw malformed(origin, semantic)
  return manifest
}

/** Undefined: the sources have none, which only an archive must. */
export function manifestOf(sources: ModulePackage, origin: string): ModuleManifest | undefined {
  const json = fileOf(sources, manifestName)
  return json === undefined ? undefined : parseManifest(json, `${origin}/${manifestName}`)
}

/** Sources under the operator's hands may have a damaged module.json: that keeps nobody from upgrading them. */
export function manifestOrNone(sources: ModulePackage): ModuleManifest | undefined {
  try {
    return manifestOf(sources, 'the sources')
  } catch (thrown) {
    if (thrown instanceof HoldfastError && thrown.code === 'E_PACKAGE_MANIFEST') return undefined
    throw thrown
  }
}

function semanticProblems(manifest: ModuleManifest): string[] {
  const problems: string[] = []
  const { version, requires, parameters } = manifest
  if (!isVersion(version)) problems.push(`/version: "${version}" is not a version like 1.2.3`)
  for (const [id, range] of Object.entries(requires)) {
    if (!isRange(range)) problems.push(`/requires/${id}: "${range}" is not a range like ^1.2.0`)
  }
  for (const name of parameters.required ?? []) {
    if (!Object.hasOwn(parameters.properties, name)) {
      problems.push(`/parameters/required: "${name}" is not in /parameters/properties`)
    }
  }
  try {
    compileSchema(parameters)
  } catch (thrown) {
    // The validator throws plain errors for a malformed schema; what it says belongs to the module's author.
    problems.push(`/parameters: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
  return problems
}

function jsonOf(json: string, origin: string): unknown {
  try {
    return JSON.parse(json)
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    throw malformed(origin, [thrown.message])
  }
}

function malformed(origin: string, problems: readonly string[]): HoldfastError {
  return new HoldfastError('E_PACKAGE_MANIFEST', `${origin}: ${problems.join('; ')}`, {
    hint: 'docs/MODULES.md describes module.json',
  })
}
