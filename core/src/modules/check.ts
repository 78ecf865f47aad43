/** Asks the plugins about a configuration before it is applied: facts about this node that no schema can know. */
import {
  type Clock,
  type Delays,
  type Exec,
  HoldfastError,
  messageOf,
  type ModuleContext,
} from '@holdfast/sdk'
import type { PluginSource } from '../kernel/discover.js'
import type { CheckFinding, ConfigCheck, PluginLoader } from '../kernel/loader.js'
import { within } from '../scheduling/deadline.js'
import { type Finding, positionOf } from '../xml/bind.js'
import { at, type Position } from '../xml/document.js'
import type { ModulePlan } from './plan.js'

export const checkTimeoutMs = 10_000

/** What a plugin's `check(config, context)` receives beside its configuration. */
export interface CheckContext extends ModuleContext {
  readonly exec: Exec
  /** The same plugin's configurations in the other modules that are applied on this node. */
  readonly others: readonly { readonly module: string; readonly config: unknown }[]
  /** What all plugins of this module say about a take-over, put together. */
  readonly delays: Delays
  /** Ids of the extension points to which the plugins of this module contribute: is there a witness? */
  readonly contributed: readonly string[]
}

type Planned = ModulePlan['plugins'][number]

export interface Checked {
  readonly findings: readonly Finding[]
  /** Sentences, each with its place when the plugin named one. */
  readonly warnings: readonly string[]
}

/** `asked`: whose check is run; all plugins say what they mean for the others. */
export async function checkPlan(
  plan: ModulePlan,
  options: {
    readonly asked: ModulePlan
    readonly file: string
    readonly clock: Pick<Clock, 'after'>
    readonly load: PluginLoader
    readonly sources: readonly PluginSource[]
    readonly contextFor: (pluginId: string) => Omit<CheckContext, 'delays' | 'contributed'>
  },
): Promise<Checked> {
  const findings: Finding[] = []
  const warnings: string[] = []
  /** Foreign code: what throws refuses the configuration, it does not pass it. */
  const asking = async (plugin: Planned, ask: () => Promise<void>): Promise<void> => {
    try {
      await ask()
    } catch (thrown) {
      const code = thrown instanceof HoldfastError ? thrown.code : 'E_PLUGIN_CHECK'
      const message = `plugin ${plugin.manifest.id}: ${messageOf(thrown)} (${code})`
      findings.push({ ...positionOf(plugin.binding, ''), message })
    }
  }
  const isAsked = ({ manifest: { id } }: Planned): boolean =>
    options.asked.plugins.some(({ manifest }) => manifest.id === id)
  const checks: { readonly plugin: Planned; readonly check: ConfigCheck }[] = []
  let delays: Delays = {}
  const contributed = plan.plugins.flatMap(({ manifest }) => manifest.contributes)
  for (const plugin of plan.plugins) {
    const source = options.sources.find((one) => one.manifest.id === plugin.manifest.id)
    if (source === undefined) continue
    await asking(plugin, async () => {
      const loaded = await options.load(source)
      delays = { ...delays, ...loaded.delays?.(structuredClone(plugin.config)) }
      if (loaded.check !== undefined && isAsked(plugin))
        checks.push({ plugin, check: loaded.check })
    })
  }
  for (const { plugin, check } of checks) {
    await asking(plugin, async () => {
      const { id } = plugin.manifest
      const context = { ...options.contextFor(id), delays, contributed }
      const run = (async () => await check(structuredClone(plugin.config), context))()
      const what = `the check of plugin ${id}`
      const report = reportOf(await within(options.clock, checkTimeoutMs, what, run))
      const place = ({ path, offset }: PlacedFinding): Position =>
        positionOf(plugin.binding, path, offset)
      for (const one of report.errors) findings.push({ ...place(one), message: one.message })
      for (const one of report.warnings) {
        const where = one.path === '' ? '' : at(options.file, place(one))
        warnings.push(`${where}${one.message}`)
      }
    })
  }
  return { findings, warnings }
}

/** `offset`: the character of the text at `path` that is meant. */
interface PlacedFinding extends CheckFinding {
  readonly offset?: number
}

function reportOf(value: unknown): { errors: PlacedFinding[]; warnings: PlacedFinding[] } {
  const list = (name: string): PlacedFinding[] => {
    const items = memberOf(value, name)
    if (items === undefined) return []
    if (!Array.isArray(items)) throw malformed()
    return items.map(findingOf)
  }
  return { errors: list('errors'), warnings: list('warnings') }
}

/** A plain sentence is a finding about the whole element. */
function findingOf(item: unknown): PlacedFinding {
  if (typeof item === 'string') return { path: '', message: item }
  const path = memberOf(item, 'path')
  const message = memberOf(item, 'message')
  if (typeof path !== 'string' || typeof message !== 'string') throw malformed()
  const offset = memberOf(item, 'offset')
  return typeof offset === 'number' ? { path, message, offset } : { path, message }
}

function malformed(): HoldfastError {
  return new HoldfastError('E_PLUGIN_CHECK', 'its check returned neither errors nor warnings')
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
