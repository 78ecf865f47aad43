/**
 * Pure: what of a new configuration can't be applied while the module runs. Only plugins that say so may be started,
 * stopped or configured anew beside a running application; whatever else differs is told with its place.
 */
import { dependenciesOf } from '../kernel/graph.js'
import { type Finding, positionOf } from '../xml/bind.js'
import type { ModulePlan, PlannedConfig } from './plan.js'

/** Empty: the difference between the two can be applied at once. `end`: what to do, as the end of a sentence. */
export function standstill(current: ModulePlan, next: ModulePlan, end: string): readonly Finding[] {
  const touched = new Set<string>()
  const findings: Finding[] = []
  for (const plugin of next.plugins) {
    const { id } = plugin.manifest
    const before = current.plugins.find((one) => one.manifest.id === id)
    const difference = differenceOf(before, plugin, next, touched)
    if (difference === undefined) continue
    touched.add(id)
    if (plugin.manifest.dynamic === true && before?.manifest.dynamic !== false) continue
    findings.push({ ...difference, message: `${difference.message}: ${end}` })
  }
  for (const { manifest } of current.plugins) {
    const isGone = next.plugins.every((one) => one.manifest.id !== manifest.id)
    if (!isGone || manifest.dynamic === true) continue
    const message = `plugin ${manifest.id} (${elementsText(manifest.config)}) can't be removed: ${end}`
    findings.push({ line: 1, column: 1, message })
  }
  return findings
}

/**
 * Empty: one node of a module may have the first configuration and another one the second while the module runs. What
 * nodes say to each other, and what both decide by, must be the same on all of them.
 */
export function inseparable(
  current: ModulePlan,
  next: ModulePlan,
  end: string,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const plugin of next.plugins) {
    const { id } = plugin.manifest
    const before = current.plugins.find((one) => one.manifest.id === id)
    if (isRolling(plugin) && (before === undefined || isRolling(before))) continue
    const difference = differenceOf(before && sameWire(before, plugin), plugin, next, new Set())
    if (difference !== undefined) {
      findings.push({ ...difference, message: `${difference.message} on one node alone: ${end}` })
    }
  }
  for (const plugin of current.plugins) {
    const { id, config } = plugin.manifest
    if (isRolling(plugin) || next.plugins.some(({ manifest }) => manifest.id === id)) continue
    const message = `plugin ${id} (${elementsText(config)}) can't be removed on one node alone: ${end}`
    findings.push({ line: 1, column: 1, message })
  }
  return findings
}

function isRolling({ manifest }: PlannedConfig): boolean {
  return manifest.rolling === true
}

/** Versions that understand each other count as one; what they are configured with must be the same all the same. */
function sameWire(before: PlannedConfig, after: PlannedConfig): PlannedConfig {
  const { wire } = after.manifest
  if (wire === undefined || before.manifest.wire !== wire) return before
  return { ...before, manifest: { ...before.manifest, version: after.manifest.version } }
}

/** What is new or differs. The others hold what they have: asked again, they would find it in use, by themselves. */
export function changedPlugins(current: ModulePlan, next: ModulePlan): ModulePlan {
  const touched = new Set<string>()
  const plugins = next.plugins.filter((plugin) => {
    const before = current.plugins.find(({ manifest }) => manifest.id === plugin.manifest.id)
    if (differenceOf(before, plugin, next, touched) === undefined) return false
    touched.add(plugin.manifest.id)
    return true
  })
  return { ...next, plugins }
}

/**
 * For a node that will have stopped when it gets `next`, and runs now. Plugins that hold something would find it in use
 * by themselves: they are asked when the node has stopped, and refuse it then.
 */
export function checkableBeside(current: ModulePlan, next: ModulePlan): ModulePlan {
  const isNew = ({ id }: PlannedConfig['manifest']): boolean =>
    current.plugins.every(({ manifest }) => manifest.id !== id)
  const changed = changedPlugins(current, next)
  const plugins = changed.plugins.filter(
    ({ manifest }) => manifest.dynamic === true || isNew(manifest),
  )
  return { ...changed, plugins }
}

function differenceOf(
  before: PlannedConfig | undefined,
  after: PlannedConfig,
  next: ModulePlan,
  touched: ReadonlySet<string>,
): Finding | undefined {
  const { manifest, config, binding } = after
  const at = (pointer: string, message: string): Finding => ({
    ...placed(positionOf(binding, pointer)),
    message,
  })
  if (before === undefined) {
    const pointer = firstElement(config)
    return at(pointer, `plugin ${manifest.id} (${nameOf(pointer)}) can't be added`)
  }
  if (before.manifest.version !== manifest.version) {
    const versions = `${before.manifest.version} to ${manifest.version}`
    return at('', `plugin ${manifest.id} can't change from version ${versions}`)
  }
  const pointer = firstDifference(before.config, config, '')
  if (pointer !== undefined) return at(pointer, `${nameOf(pointer)} can't change`)
  const members = next.plugins.map((one) => one.manifest)
  const held = dependenciesOf(manifest, members).find((id) => touched.has(id))
  if (held === undefined) return undefined
  return at('', `plugin ${held} can't change, because ${manifest.id} holds it`)
}

/** JSON pointer of the first value that differs; the same order in every run. */
function firstDifference(before: unknown, after: unknown, pointer: string): string | undefined {
  if (isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const name of [...new Set([...Object.keys(after), ...Object.keys(before)])].sort()) {
      const found = firstDifference(before[name], after[name], `${pointer}/${name}`)
      if (found !== undefined) return found
    }
    return undefined
  }
  return before === after ? undefined : pointer
}

/** `/rfs/timeout` → `timeout in <rfs>`; places in lists are left out, the finding has its own. */
function nameOf(pointer: string): string {
  const names = pointer.split('/').filter((name) => name !== '' && !/^\d+$/.test(name))
  const last = names.pop() ?? ''
  const parent = names.pop()
  return parent === undefined ? `<${last}>` : `${last} in <${parent}>`
}

function firstElement(config: unknown): string {
  const [first] = isObject(config) ? Object.keys(config).sort() : []
  return first === undefined ? '' : `/${first}`
}

function elementsText(schema: object): string {
  const properties = 'properties' in schema && isObject(schema.properties) ? schema.properties : {}
  return Object.keys(properties)
    .map((name) => `<${name}>`)
    .join(', ')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function placed({ line, column }: { readonly line: number; readonly column: number }): {
  readonly line: number
  readonly column: number
} {
  return { line, column }
}
