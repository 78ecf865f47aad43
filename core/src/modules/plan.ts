/**
 * Pure: which plugins a module needs and what each of them is configured with. Each element below `<service>`
 * belongs to the plugin whose schema has a property of that name; the topology owns the attributes of `<service>`.
 */
import type { PluginManifest } from '@holdfast/sdk'
import { type GraphInput, resolveOrder } from '../kernel/graph.js'
import { type Binding, type Finding, nearest, tryBind } from '../xml/bind.js'
import type { XmlElement } from '../xml/document.js'

export interface ModulePlan {
  readonly topology: string
  /** In the order of activation. */
  readonly plugins: readonly {
    readonly manifest: PluginManifest
    readonly config: unknown
    readonly binding: Binding
  }[]
}

export type PlanResult =
  | { readonly ok: true; readonly plan: ModulePlan }
  | { readonly ok: false; readonly findings: readonly Finding[] }

export type Installed = Pick<
  GraphInput,
  'platform' | 'available' | 'broken' | 'coreTokens' | 'satisfies'
>

export function planModule(service: XmlElement, installed: Installed): PlanResult {
  const findings: Finding[] = []
  const modules = installed.available.filter(({ scope }) => scope === 'module')
  const topology = findTopology(service, modules, findings)
  if (topology === undefined) return { ok: false, findings }
  const owners = findOwners(service, modules, topology, findings)
  const wanted = [...new Set([topology, ...owners.map(([, owner]) => owner)])]
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
  if (findings.length > 0) return { ok: false, findings }
  return { ok: true, plan: { topology: topology.id, plugins } }
}

function findTopology(
  service: XmlElement,
  modules: readonly PluginManifest[],
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
  if (topology === undefined) {
    const message = `attribute "mode" of <service> is "${mode.value}"; allowed: ${listed(modes)}`
    findings.push({ ...positionOf(mode), message })
  } else if (second !== undefined) {
    const message = `mode "${mode.value}" is answered by the plugins ${topology.id} and ${second.id}: remove one`
    findings.push({ ...positionOf(mode), message })
  }
  return topology
}

/** Element name → its plugin, for the elements that are there. A topology that is not active owns nothing. */
function findOwners(
  service: XmlElement,
  modules: readonly PluginManifest[],
  topology: PluginManifest,
  findings: Finding[],
): [string, PluginManifest][] {
  const candidates = modules.filter((plugin) => plugin === topology || plugin.modes === undefined)
  const allowed = [...new Set(candidates.flatMap(elementsOf))].sort()
  const owners = new Map<string, PluginManifest>()
  for (const child of service.children) {
    const [owner, second] = candidates.filter((plugin) => elementsOf(plugin).includes(child.name))
    if (owner === undefined) {
      const near = nearest(child.name, allowed)
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
      const message = `unknown element <${child.name}> in <service>${hint}; allowed: ${listed(allowed)}`
      findings.push({ ...positionOf(child), message })
    } else if (second !== undefined) {
      const message = `<${child.name}> belongs to the plugins ${owner.id} and ${second.id}: remove one of them`
      findings.push({ ...positionOf(child), message })
    } else owners.set(child.name, owner)
  }
  return [...owners]
}

/** What a plugin binds: its own elements only, and for the topology the attributes of `<service>`. */
function elementFor(
  service: XmlElement,
  manifest: PluginManifest,
  isTopology: boolean,
): XmlElement {
  const own = elementsOf(manifest)
  const children = service.children.filter((child) => own.includes(child.name))
  const attributes: XmlElement = { ...service, children: [], text: '' }
  return {
    ...positionOf(service),
    name: 'service',
    attributes: [],
    text: isTopology ? service.text : '',
    children: isTopology ? [attributes, ...children] : children,
  }
}

export function elementsOf(manifest: PluginManifest): string[] {
  const properties: unknown =
    'properties' in manifest.config ? manifest.config.properties : undefined
  if (typeof properties !== 'object' || properties === null) return []
  return Object.keys(properties).filter((name) => name !== 'service')
}

function becauseOf(
  id: string,
  topology: PluginManifest,
  owners: readonly (readonly [string, PluginManifest])[],
): string {
  if (id === topology.id) return 'it is the mode of <service>'
  const elements = owners.filter(([, owner]) => owner.id === id).map(([name]) => `<${name}>`)
  return `${elements.join(', ')} is there`
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
