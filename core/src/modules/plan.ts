/**
 * Pure: which plugins a module needs and what each of them is configured with. Each element below `<service>`
 * belongs to the plugin whose schema has a property of that name; the topology owns the attributes of `<service>`.
 * An element that plugins mark as shared is only a frame: each of its children has an owner of its own.
 */
import { nearest, type PluginManifest } from '@holdfast/sdk'
import { type GraphInput, resolveOrder } from '../kernel/graph.js'
import { type Binding, type Finding, tryBind } from '../xml/bind.js'
import type { XmlElement } from '../xml/document.js'

export interface PlannedConfig {
  readonly manifest: PluginManifest
  readonly config: unknown
  readonly binding: Binding
}

export interface ModulePlan {
  readonly topology: string
  /** In the order of activation. */
  readonly plugins: readonly PlannedConfig[]
}

export type PlanResult =
  | { readonly ok: true; readonly plan: ModulePlan }
  | { readonly ok: false; readonly findings: readonly Finding[] }

export interface Installed extends Pick<
  GraphInput,
  'platform' | 'available' | 'broken' | 'coreTokens' | 'satisfies'
> {
  /** Not to be used: named only where the configuration asks for one of them. */
  readonly disabled: readonly PluginManifest[]
}

export function planModule(service: XmlElement, installed: Installed): PlanResult {
  const findings: Finding[] = []
  const modules = installed.available.filter(({ scope }) => scope === 'module')
  const { disabled } = installed
  const topology = findTopology(service, modules, disabled, findings)
  if (topology === undefined) return { ok: false, findings }
  const owners = findOwners(
    service,
    { candidates: candidatesFor(topology, modules), disabled },
    findings,
  )
  const wanted = [...new Set([topology, ...owners.map(({ owner }) => owner)])]
  const graph = resolveOrder({
    ...installed,
    scope: 'module',
    wanted: wanted.map(({ id }) => ({ id, because: becauseOf(id, topology, owners) })),
  })
  if (!graph.ok) {
    findings.push(...graph.reasons.map((message) => ({ ...positionOf(service), message })))
    return { ok: false, findings }
  }
  const plugins = graph.order.map((manifest) => {
    const element = elementFor(service, manifest, manifest === topology)
    const bound = tryBind(element, manifest.config)
    findings.push(...bound.findings)
    return { manifest, config: bound.binding.value, binding: bound.binding }
  })
  if (findings.length > 0) return { ok: false, findings: distinct(findings) }
  return { ok: true, plan: { topology: topology.id, plugins } }
}

function findTopology(
  service: XmlElement,
  modules: readonly PluginManifest[],
  disabled: readonly PluginManifest[],
  findings: Finding[],
): PluginManifest | undefined {
  const modes = modules.flatMap(({ modes: own = [] }) => own).sort()
  const mode = service.attributes.find(({ name }) => name === 'mode')
  if (mode === undefined) {
    const message = `attribute "mode" is missing in <service>; allowed: ${listed(modes)}`
    findings.push({ ...positionOf(service), message })
    return undefined
  }
  const candidates = modules.filter((plugin) => plugin.modes?.includes(mode.value) === true)
  const [topology, second] = candidates
  const off = disabled.find((plugin) => plugin.modes?.includes(mode.value) === true)
  if (topology === undefined && off !== undefined) {
    findings.push({ ...positionOf(mode), message: disabledSentence(`mode "${mode.value}"`, off) })
  } else if (topology === undefined) {
    const message = `attribute "mode" of <service> is "${mode.value}"; allowed: ${listed(modes)}`
    findings.push({ ...positionOf(mode), message })
  } else if (second !== undefined) {
    const message = `mode "${mode.value}" is answered by the plugins ${topology.id} and ${second.id}: remove one`
    findings.push({ ...positionOf(mode), message })
  }
  return topology
}

/** An element that is there, as `<check><tcp>` when it stands in a shared one, and its plugin. */
interface Owned {
  readonly element: string
  readonly owner: PluginManifest
}

/** A topology that is not active owns nothing. */
function candidatesFor(
  topology: PluginManifest,
  modules: readonly PluginManifest[],
): readonly PluginManifest[] {
  return modules.filter((plugin) => plugin === topology || plugin.modes === undefined)
}

interface Owners {
  readonly candidates: readonly PluginManifest[]
  readonly disabled: readonly PluginManifest[]
}

function findOwners(
  service: XmlElement,
  { candidates, disabled }: Owners,
  findings: Finding[],
): readonly Owned[] {
  const owned: Owned[] = []
  for (const child of service.children) {
    const sharing = candidates.filter((plugin) => sharedBy(plugin, child.name) !== undefined)
    const isShared =
      sharing.length > 0 && sharing.length === ownersOf(child, candidates, elementsOf).length
    if (!isShared) {
      const owners = { candidates, disabled, namesOf: elementsOf }
      owned.push(...ownerOf(child, 'service', owners, findings))
    } else {
      const namesOf = (plugin: PluginManifest): string[] => sharedBy(plugin, child.name) ?? []
      const owners = { candidates: sharing, disabled, namesOf }
      for (const part of child.children) {
        owned.push(...ownerOf(part, child.name, owners, findings))
      }
    }
  }
  return owned
}

function ownersOf(
  element: XmlElement,
  candidates: readonly PluginManifest[],
  namesOf: (plugin: PluginManifest) => readonly string[],
): readonly PluginManifest[] {
  return candidates.filter((plugin) => namesOf(plugin).includes(element.name))
}

/** The one plugin that owns `element`; nobody, or two of them, is a finding. */
function ownerOf(
  element: XmlElement,
  parent: string,
  owners: Owners & { readonly namesOf: (plugin: PluginManifest) => readonly string[] },
  findings: Finding[],
): readonly Owned[] {
  const { candidates, disabled, namesOf } = owners
  const [owner, second] = ownersOf(element, candidates, namesOf)
  const { name } = element
  const [off] = ownersOf(element, disabled, namesOf)
  if (owner === undefined && off !== undefined) {
    findings.push({ ...positionOf(element), message: disabledSentence(`<${name}>`, off) })
    return []
  }
  if (owner === undefined) {
    const allowed = [...new Set(candidates.flatMap(namesOf))].sort()
    const near = nearest(name, allowed)
    const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
    const message = `unknown element <${name}> in <${parent}>${hint}; allowed: ${listed(allowed)}`
    findings.push({ ...positionOf(element), message })
    return []
  }
  if (second !== undefined) {
    const message = `<${name}> belongs to the plugins ${owner.id} and ${second.id}: remove one of them`
    findings.push({ ...positionOf(element), message })
    return []
  }
  return [{ element: parent === 'service' ? `<${name}>` : `<${parent}><${name}>`, owner }]
}

function disabledSentence(what: string, { id }: PluginManifest): string {
  return `${what} belongs to the plugin ${id}, which is disabled: holdfast plugin enable ${id}`
}

/** What a plugin binds: its own elements only, and for the topology the attributes of `<service>`. */
function elementFor(
  service: XmlElement,
  manifest: PluginManifest,
  isTopology: boolean,
): XmlElement {
  const own = elementsOf(manifest)
  const children = service.children.flatMap((child): XmlElement[] => {
    if (!own.includes(child.name)) return []
    const parts = sharedBy(manifest, child.name)
    if (parts === undefined) return [child]
    const ownParts = child.children.filter(({ name }) => parts.includes(name))
    // A frame in which nothing belongs to this plugin is not its to bind.
    return ownParts.length === 0 ? [] : [{ ...child, children: ownParts }]
  })
  const attributes: XmlElement = { ...service, children: [], text: '' }
  return {
    ...positionOf(service),
    name: 'service',
    attributes: [],
    text: isTopology ? service.text : '',
    textMarks: isTopology ? service.textMarks : [],
    children: isTopology ? [attributes, ...children] : children,
  }
}

export function elementsOf(manifest: PluginManifest): string[] {
  return Object.keys(propertiesOf(manifest.config)).filter((name) => name !== 'service')
}

/** For people: `<rfs>`, `<check><tcp>`. */
export function elementNames(manifest: PluginManifest): readonly string[] {
  return elementsOf(manifest).flatMap((element) => {
    const parts = sharedBy(manifest, element)
    return parts === undefined ? [`<${element}>`] : parts.map((part) => `<${element}><${part}>`)
  })
}

/** The children of a shared element that belong to this plugin; undefined: it does not share this element. */
function sharedBy(manifest: PluginManifest, element: string): string[] | undefined {
  const schema = propertiesOf(manifest.config)[element]
  if (typeof schema !== 'object' || schema === null || !('x-shared' in schema)) return undefined
  return schema['x-shared'] === true ? Object.keys(propertiesOf(schema)) : undefined
}

function propertiesOf(schema: object): Readonly<Record<string, unknown>> {
  const properties: unknown = 'properties' in schema ? schema.properties : undefined
  return typeof properties === 'object' && properties !== null ? { ...properties } : {}
}

function becauseOf(id: string, topology: PluginManifest, owned: readonly Owned[]): string {
  if (id === topology.id) return 'it is the mode of <service>'
  const elements = owned.filter(({ owner }) => owner.id === id).map(({ element }) => element)
  return `${[...new Set(elements)].join(', ')} is there`
}

/** What is wrong with a shared element, each of its plugins says. */
function distinct(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Map(
    findings.map((one) => [`${String(one.line)}:${String(one.column)}:${one.message}`, one]),
  )
  return [...seen.values()]
}

function positionOf(at: { readonly line: number; readonly column: number }): {
  line: number
  column: number
} {
  return { line: at.line, column: at.column }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none (no plugin is installed)' : names.join(', ')
}
