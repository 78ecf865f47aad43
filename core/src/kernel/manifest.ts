/** Checks `plugin.json` before a line of the plugin's code is imported. */
import { HoldfastError, type PluginManifest } from '@holdfast/sdk'
import { compileSchema, type SchemaCheck } from '../schema/validate.js'
import { fixesMajor, isRange, isVersion } from './versions.js'

export const manifestBytesMax = 1024 * 1024

const ids = (pattern: string): object => ({
  type: 'array',
  maxItems: 64,
  uniqueItems: true,
  items: { type: 'string', pattern },
})

const pluginId = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$'
const tokenId = '^[a-z][a-z0-9-]*\\.[A-Za-z][A-Za-z0-9-]*$'

const manifestSchema = {
  type: 'object',
  additionalProperties: false,
  required: [
    'id',
    'version',
    'engines',
    'entry',
    'scope',
    'platforms',
    'needs',
    'provides',
    'contributes',
    'requires',
    'conflicts',
    'capabilities',
    'config',
    'startTimeoutMs',
    'stopTimeoutMs',
  ],
  properties: {
    id: { type: 'string', pattern: pluginId, maxLength: 64 },
    version: { type: 'string', maxLength: 64 },
    engines: {
      type: 'object',
      additionalProperties: false,
      required: ['holdfast'],
      properties: { holdfast: { type: 'string', maxLength: 128 } },
    },
    entry: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_./-]*$', maxLength: 256 },
    scope: { enum: ['node', 'module'] },
    platforms: { type: 'array', minItems: 1, items: { enum: ['linux', 'win32'] } },
    // A token that ends with `?` may be missing: the plugin receives undefined then. A point that ends with `*` is live.
    needs: ids(`${tokenId.replace(/\$$/, '\\??$')}|^point\\.[A-Za-z][A-Za-z0-9-]*\\*$`),
    provides: ids(tokenId),
    contributes: ids(tokenId),
    requires: { type: 'object', maxProperties: 64, additionalProperties: { type: 'string' } },
    conflicts: ids(pluginId),
    capabilities: { type: 'array', maxItems: 64, items: { type: 'string', maxLength: 256 } },
    modes: ids('^[a-z][a-z0-9-]*$'),
    config: { type: 'object' },
    dynamic: { type: 'boolean' },
    rolling: { type: 'boolean' },
    wire: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    process: { type: 'boolean' },
    startTimeoutMs: { type: 'integer', minimum: 1, maximum: 600_000 },
    stopTimeoutMs: { type: 'integer', minimum: 1, maximum: 600_000 },
    $schema: { type: 'string' },
  },
}

let compiled: SchemaCheck | undefined

/**
 * Throws `E_PLUGIN_MANIFEST` with every problem, or `E_PLUGIN_ENGINE` when it is made for another Holdfast. `isOurs`: the
 * schema of its configuration was compiled by the tests, and is here only when somebody needs it.
 */
export function readManifest(text: string, path: string, isOurs = false): PluginManifest {
  compiled ??= compileSchema(manifestSchema)
  const value = jsonOf(text, path)
  const problems = compiled(value).map(({ pointer, message }) => `${pointer || '/'}: ${message}`)
  if (problems.length > 0) throw malformed(path, problems)
  const manifest = value as PluginManifest // The schema above is this type.
  const semantic = semanticProblems(manifest, isOurs)
  if (semantic.length > 0) throw malformed(path, semantic)
  return manifest
}

function semanticProblems(manifest: PluginManifest, isOurs: boolean): string[] {
  const problems: string[] = []
  const { engines, requires, version } = manifest
  if (!isVersion(version)) problems.push(`/version: "${version}" is not a version like 1.2.3`)
  if (!fixesMajor(engines.holdfast)) {
    problems.push(
      `/engines/holdfast: "${engines.holdfast}" must fix the major, for example "^0.1.0"`,
    )
  }
  if (manifest.process !== true && !/\.m?js$/.test(manifest.entry)) {
    problems.push('/entry: a plugin that is imported has an entry that ends with .js or .mjs')
  }
  if (manifest.process === true) problems.push(...processProblems(manifest))
  if (manifest.entry.split('/').includes('..')) {
    problems.push('/entry: must stay inside the plugin')
  }
  for (const [id, range] of Object.entries(requires)) {
    if (!isRange(range)) problems.push(`/requires/${id}: "${range}" is not a range like ^1.2.0`)
  }
  if (manifest.modes !== undefined && manifest.scope !== 'module') {
    problems.push('/modes: only a plugin of scope "module" can be a topology')
  }
  try {
    if (!isOurs) compileSchema(manifest.config)
  } catch (thrown) {
    // ajv throws plain errors for a malformed schema; whatever it says belongs to the plugin's author.
    problems.push(`/config: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
  return problems
}

/** A child process sees its configuration and its module, and nothing of the daemon. */
function processProblems(manifest: PluginManifest): string[] {
  const { scope, needs, provides, contributes } = manifest
  const problems: string[] = []
  if (scope !== 'module')
    problems.push('/process: only a plugin of scope "module" can be a process')
  if (needs.length + provides.length > 0) {
    problems.push('/process: a process has no needs and provides nothing')
  }
  const others = contributes.filter(
    (point) => point !== 'point.checker' && point !== 'point.resource',
  )
  if (others.length > 0) {
    problems.push(
      `/process: a process can't contribute to ${others.join(', ')}; allowed: point.checker, point.resource`,
    )
  }
  return problems
}

function malformed(path: string, problems: readonly string[]): HoldfastError {
  return new HoldfastError('E_PLUGIN_MANIFEST', `${path} is malformed: ${problems.join('; ')}`, {
    hint: 'install a corrected version of the plugin',
  })
}

function jsonOf(text: string, path: string): unknown {
  if (text.length > manifestBytesMax) throw malformed(path, ['it is larger than 1 MiB'])
  try {
    return JSON.parse(text)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw malformed(path, [thrown.message])
    throw thrown
  }
}
