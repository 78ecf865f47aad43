/**
 * Parameters of a module are the `<macro>` elements of its `conf/userconfig.xml`: one place, which operators also edit
 * by hand. Here their values are read, set without touching anything else of the text, and validated. Pure.
 */
import { HoldfastError, nearest } from '@holdfast/sdk'
import { compileSchema } from '../schema/validate.js'
import type { Finding } from '../xml/bind.js'
import { offsetOf, parseXml, type XmlAttribute } from '../xml/document.js'
import type { ModuleManifest, ParameterProperty } from './manifest.js'

export const configurationName = 'conf/userconfig.xml'

/** Name → value as it is written, macros inside of it not expanded. Of two of one name the first counts. */
export function macrosOf(xml: string, file: string): ReadonlyMap<string, string> {
  return new Map([...placesOf(xml, file)].map(([name, { value }]) => [name, value]))
}

/** The same text with other values for these macros. Throws `E_PARAMETER` for one that is not there. */
export function withMacros(xml: string, values: ReadonlyMap<string, string>, file: string): string {
  const places = placesOf(xml, file)
  const unknown = [...values.keys()].filter((name) => !places.has(name))
  if (unknown.length > 0) throw unknownParameters(unknown, [...places.keys()])
  const chosen = [...values].flatMap(([name, value]) => {
    const place = places.get(name)
    return place === undefined ? [] : [{ offset: offsetOf(xml, place), value }]
  })
  // From the end: the places before stay where they are.
  return chosen
    .sort((a, b) => b.offset - a.offset)
    .reduce((text, { offset, value }) => replaceValue(text, offset, value), xml)
}

/** Given parameters are of the schema, or `E_PARAMETER` says what is allowed. Without a schema any macro may be given. */
export function assertParameters(
  given: ReadonlyMap<string, string>,
  manifest: ModuleManifest | undefined,
): void {
  if (manifest === undefined || given.size === 0) return
  const { properties } = manifest.parameters
  const unknown = [...given.keys()].filter((name) => !Object.hasOwn(properties, name))
  if (unknown.length > 0) throw unknownParameters(unknown, Object.keys(properties))
  const problems = valueProblems(given, manifest, 'given')
  if (problems.length === 0) return
  throw new HoldfastError('E_PARAMETER', problems.map(({ message }) => message).join('; '), {
    hint: 'nothing was changed; "holdfast module info" shows all parameters',
  })
}

/** What keeps these values from being applied, each with its place in the configuration. */
export function parameterFindings(
  xml: string,
  manifest: ModuleManifest | undefined,
  file: string,
): readonly Finding[] {
  if (manifest === undefined) return []
  const places = placesOf(xml, file)
  const values = new Map([...places].map(([name, { value }]) => [name, value]))
  const missing = Object.keys(manifest.parameters.properties)
    .filter((name) => !places.has(name))
    .map((name) => ({
      ...{ line: 1, column: 1 },
      message: `the parameter ${name} of module.json has no <macro name="${name}" …>`,
    }))
  const wrong = valueProblems(values, manifest, 'all').map(({ name, message }) => {
    const { line = 1, column = 1 } = places.get(name) ?? {}
    return { line, column, message }
  })
  return [...missing, ...wrong]
}

/** Parameters that must be given and are empty. */
export function missingParameters(
  values: ReadonlyMap<string, string>,
  manifest: ModuleManifest | undefined,
): readonly string[] {
  return (manifest?.parameters.required ?? []).filter((name) => (values.get(name) ?? '') === '')
}

function valueProblems(
  values: ReadonlyMap<string, string>,
  { parameters }: ModuleManifest,
  which: 'given' | 'all',
): { readonly name: string; readonly message: string }[] {
  const entries = Object.entries(parameters.properties).flatMap(([name, property]) => {
    const value = values.get(name)
    // Not given, and not required: the macro may stay empty.
    const isAbsent = value === undefined || (value === '' && which === 'all')
    return isAbsent ? [] : [[name, typed(value, property)] as const]
  })
  const required = which === 'all' ? (parameters.required ?? []) : []
  const check = compileSchema({ ...parameters, required, additionalProperties: false })
  return check(Object.fromEntries(entries)).map(({ pointer, keyword, property, message }) => {
    const name = pointer.split('/')[1] ?? property ?? ''
    const isMissing = keyword === 'required'
    const text = isMissing
      ? `the parameter ${name} has no value`
      : `the parameter ${name} is "${values.get(name) ?? ''}": ${message}`
    return { name, message: `${text}${explained(parameters.properties[name])}` }
  })
}

function explained(property: ParameterProperty | undefined): string {
  const what = property?.title ?? property?.description
  return what === undefined ? '' : ` (${what})`
}

/** A macro is text; the schema may want a number. What can't be one stays text, and the schema refuses it. */
function typed(value: string, { type }: ParameterProperty): string | number | boolean {
  if (type === 'boolean' && /^(on|true|off|false)$/.test(value)) return /^(on|true)$/.test(value)
  const isNumeric = type === 'integer' || type === 'number'
  return isNumeric && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

function placesOf(xml: string, file: string): ReadonlyMap<string, XmlAttribute> {
  const places = new Map<string, XmlAttribute>()
  for (const element of parseXml(xml, file).children) {
    const attribute = (wanted: string): XmlAttribute | undefined =>
      element.attributes.find(({ name }) => name === wanted)
    const name = attribute('name')?.value
    const value = attribute('value')
    if (element.name !== 'macro' || name === undefined || value === undefined) continue
    if (!places.has(name)) places.set(name, value)
  }
  return places
}

/** At `offset` the attribute `value="…"` begins; the parser has accepted it. */
function replaceValue(xml: string, offset: number, value: string): string {
  const [written = ''] = /^value\s*=\s*("[^"]*"|'[^']*')/.exec(xml.slice(offset)) ?? []
  return `${xml.slice(0, offset)}value="${escaped(value)}"${xml.slice(offset + written.length)}`
}

/** White space as references: an attribute would turn it into blanks. */
function escaped(value: string): string {
  const named: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' }
  return value.replace(
    /[&<"\n\r\t]/g,
    (character) => named[character] ?? `&#${character.charCodeAt(0)};`,
  )
}

function unknownParameters(names: readonly string[], allowed: readonly string[]): HoldfastError {
  const near = nearest(names[0] ?? '', allowed)
  const question = near === undefined ? '' : ` (did you mean ${near}?)`
  const list = allowed.length === 0 ? 'it has none' : [...allowed].sort().join(', ')
  return new HoldfastError(
    'E_PARAMETER',
    `the module has no parameter ${names.join(', ')}${question}; allowed: ${list}`,
    { hint: 'nothing was changed; write --param NAME=VALUE' },
  )
}
