/**
 * Bringing plugins to nodes: from a file, or from registries together with what they require. What a plugin may do and who
 * signed it is shown first; each node checks the signature itself.
 */
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { HoldfastError, type PackageView, type PluginView } from '@holdfast/sdk'
import type { ClusterView } from '../api/views.js'
import { cliErrors, unreadable, usageError } from '../exit.js'
import type { Context, Input, OptionSpec } from '../spec.js'
import { everywhere, onNodes } from './everywhere.js'
import { chosenNodes } from './options.js'
import { fetched, isPath, routeUnknown } from './source.js'

/** Larger ones don't fit into one message between nodes: they are installed on each node by path. */
const sentBytesMax = 640 * 1024

export const yesOption: OptionSpec = {
  long: 'yes',
  summary: 'allow what plugins ask for without a question',
}

/** A plugin that is needed, as this node knows it. */
interface Needed {
  readonly id: string
  readonly version: string
  readonly installed: boolean
  /** Where it can be had when it is not installed. */
  readonly source?: string
}

export async function installPlugin(context: Context, input: Input): Promise<number> {
  const what = input.argument('WHAT') ?? ''
  if (isPath(what)) return await installFile(context, input, what)
  const nodes = await chosenNodes(context, input)
  const needed = await neededFor(context, { plugin: what })
  return await bring(context, needed, nodes, input.flag('yes'))
}

/**
 * Brings what a module requires and this node does not have to all nodes of the cluster, any of which may run the module:
 * after everything else that could refuse the module, because nobody takes them back.
 * Throws with every reason when that can't be.
 */
export async function bringRequired(
  context: Context,
  { id, version, requires }: PackageView,
  isAllowed: boolean,
): Promise<void> {
  if (Object.keys(requires).length === 0) return
  const request = { requires, by: `${id} ${version}` }
  const needed = await neededFor(context, request).catch((error: unknown) => {
    // Without the registry nobody can look: the installation itself tells what is missing.
    if (error instanceof HoldfastError && error.code === routeUnknown) return []
    throw error
  })
  if (needed.every(({ installed }) => installed)) return
  const { nodes } = await context.client.get<ClusterView>('/cluster')
  const names = nodes.length === 0 ? undefined : nodes.map(({ node }) => node)
  await bring(context, needed, names, isAllowed)
}

async function neededFor({ client }: Context, body: object): Promise<readonly Needed[]> {
  const path = '/registry/resolve'
  const { plugins } = await client.ask<{ plugins: readonly Needed[] }>('POST', path, { body })
  return plugins
}

async function bring(
  context: Context,
  needed: readonly Needed[],
  nodes: readonly string[] | undefined,
  isAllowed: boolean,
): Promise<number> {
  const { client, terminal } = context
  const { self } = await client.get<ClusterView>('/cluster')
  const here = await pluginsOf(context, undefined)
  const paths = new Map<Needed, string>()
  const views = new Map<Needed, PluginView>()
  for (const one of needed) {
    const installed = here.find((view) => isSame(view, one))
    if (installed !== undefined) {
      views.set(one, installed)
      continue
    }
    const path = (await fetched(context, `${one.source ?? ''}/${nameOf(one)}`, 'plugin')).path
    paths.set(one, path)
    views.set(one, await client.ask<PluginView>('POST', '/plugins/inspect', { body: { path } }))
  }
  const fresh = [...paths.keys()].flatMap((one) => views.get(one) ?? [])
  for (const view of fresh) tellPlugin(terminal, view)
  if (!isAllowed) await confirm(context, fresh)
  return await onNodes(context, nodes, async (node) => {
    const there = await pluginsOf(context, node)
    const missing = needed.filter((one) => !there.some((view) => isSame(view, one)))
    for (const one of missing) {
      const isHere = node === undefined || node === self
      // The other nodes take it from this one, whose registries they need not know.
      const path =
        (isHere ? paths.get(one) : undefined) ??
        (await fetched(context, `${self ?? 'here'}/${nameOf(one)}`, 'plugin', node)).path
      const { capabilities = [] } = views.get(one) ?? {}
      await client.ask('POST', '/plugins', { body: { path, capabilities }, node })
    }
    const names = (list: readonly Needed[]): string =>
      list.map(({ id, version }) => `plugin ${id} ${version}`).join(', ')
    return missing.length === 0
      ? `${names(needed)}: installed already`
      : `${names(missing)}: installed`
  })
}

async function installFile(context: Context, input: Input, file: string): Promise<number> {
  const nodes = await chosenNodes(context, input)
  const archive = await archiveOf(file, nodes !== undefined)
  const seen = await context.client.ask<PluginView>('POST', '/plugins/inspect', {
    body: archive,
    node: nodes?.[0],
  })
  tellPlugin(context.terminal, seen)
  if (!input.flag('yes')) await confirm(context, [seen])
  const body = { ...archive, capabilities: seen.capabilities }
  return await everywhere(context, input, async (node) => {
    const { id, version } = await context.client.ask<PluginView>('POST', '/plugins', { body, node })
    return `plugin ${id} ${version}: installed`
  })
}

export async function archiveOf(file: string, mustTravel: boolean): Promise<object> {
  const path = resolve(file)
  try {
    const { size } = await stat(path)
    if (size <= sentBytesMax) return { data: (await readFile(path)).toString('base64') }
    if (!mustTravel) return { path }
  } catch (error) {
    throw unreadable(path, error)
  }
  throw new HoldfastError(cliErrors.file, `${path} is too large to be sent to other nodes`, {
    hint: 'copy it to each node, and install it there',
  })
}

export async function pluginsOf(
  { client }: Context,
  node: string | undefined,
): Promise<readonly PluginView[]> {
  return (await client.get<{ plugins: readonly PluginView[] }>('/plugins', { node })).plugins
}

export function tellPlugin(terminal: Context['terminal'], view: PluginView): void {
  terminal.out(`${view.id} ${view.version}  ${trustText(view)}`)
  const requires = Object.entries(view.requires).map(([id, range]) => `${id} ${range}`)
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['elements', view.elements],
    ['may', view.capabilities],
    ['requires', requires],
    ['used by', view.usedBy],
  ]
  for (const [name, values] of lines) {
    if (values.length > 0) terminal.out(`  ${name.padEnd(10)}${values.join(', ')}`)
  }
  const note = noteOf(view)
  if (note !== '') terminal.out(`  ${note}`)
  if (isRefused(view)) {
    terminal.out('  this node refuses it unless you trust its author: holdfast trust add NAME FILE')
  }
}

/** What would run inside the daemon needs a signature that is trusted. */
function isRefused({ trust, process, failure }: PluginView): boolean {
  return trust === 'foreign' && !process && failure === undefined
}

export function noteOf(view: PluginView): string {
  if (view.failure !== undefined) return `${view.failure.reason}  [${view.failure.code}]`
  return view.enabled ? '' : 'disabled'
}

export function trustText({ trust, signedBy, process }: PluginView): string {
  const who = trust === 'signed' ? `signed by ${signedBy ?? '?'}` : trust
  return process ? `${who}, a process` : who
}

/** Who does not answer has not allowed anything. */
async function confirm(context: Context, views: readonly PluginView[]): Promise<void> {
  const { stdin, terminal } = context
  if (views.every((view) => view.capabilities.length === 0 && view.trust !== 'foreign')) return
  if (!stdin.isTTY) {
    throw usageError('nobody is there to allow what the plugin asks for', 'read it, then add --yes')
  }
  const lines = createInterface({ input: stdin, output: process.stderr })
  const answer = await lines.question(`install ${views.length === 1 ? 'it' : 'them'}? [y/N] `)
  lines.close()
  if (/^y(es)?$/i.test(answer.trim())) return
  terminal.err('nothing was installed')
  throw new HoldfastError(cliErrors.state, 'the plugin was not allowed')
}

function nameOf({ id, version }: Needed): string {
  return `${id}@${version}`
}

function isSame(view: PluginView, { id, version }: Needed): boolean {
  return view.id === id && view.version === version
}
