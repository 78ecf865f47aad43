/** `holdfast plugin`: what is installed, installing it, and why one is not active. */
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { HoldfastError, type PluginsReport, type PluginView } from '@holdfast/sdk'
import { cliErrors, exitCode, unreadable, usageError } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from '../spec.js'
import { everywhere } from './everywhere.js'
import { chosenNode, chosenNodes, jsonOption, nodesOption } from './options.js'

/** Larger ones don't fit into one message between nodes: they are installed on each node by path. */
const sentBytesMax = 640 * 1024

const oneNode: OptionSpec = { ...nodesOption, summary: 'of this node instead of this one' }
const idArgument: ArgumentSpec = { name: 'ID', required: true, summary: 'the plugin' }
const versionArgument: ArgumentSpec = {
  name: 'ID@VERSION',
  required: true,
  summary: 'the plugin, and which version of it',
}

export const pluginCommand: CommandSpec = {
  name: 'plugin',
  summary: 'install, inspect and remove plugins',
  examples: ['holdfast plugin list', 'holdfast plugin install checker-redis-1.0.0.hfp -H "*"'],
  commands: [
    {
      name: 'list',
      summary: 'all plugins of this node',
      options: [oneNode, jsonOption],
      examples: ['holdfast plugin list'],
      run: list,
    },
    {
      name: 'info',
      summary: 'one plugin, or an archive before it is installed',
      arguments: [{ ...idArgument, name: 'ID|FILE', complete: 'file' }],
      options: [oneNode, jsonOption],
      examples: ['holdfast plugin info rfs', 'holdfast plugin info checker-redis-1.0.0.hfp'],
      run: tellInfo,
    },
    {
      name: 'install',
      summary: 'install an archive; no module uses it before it is configured so',
      arguments: [{ name: 'FILE', required: true, summary: 'the archive', complete: 'file' }],
      options: [nodesOption, { long: 'yes', summary: 'allow what it asks for without a question' }],
      examples: ['holdfast plugin install checker-redis-1.0.0.hfp -H "*"'],
      run: install,
    },
    {
      name: 'remove',
      summary: 'remove a version that no module uses',
      arguments: [versionArgument],
      options: [nodesOption],
      examples: ['holdfast plugin remove checker-redis@1.0.0 -H "*"'],
      run: remove,
    },
    enabling('enable', 'let modules use a plugin again', true),
    enabling('disable', 'keep modules from using a plugin', false),
    {
      name: 'doctor',
      summary: 'which plugins are active, in which order, and why others are not',
      options: [oneNode, jsonOption],
      examples: ['holdfast plugin doctor'],
      run: doctor,
    },
  ],
}

function enabling(name: string, summary: string, enabled: boolean): CommandSpec {
  return {
    name,
    summary,
    arguments: [idArgument],
    options: [nodesOption],
    examples: [`holdfast plugin ${name} checker-redis -H "*"`],
    run: (context, input) => {
      const id = input.argument('ID') ?? ''
      const path = `/plugins/${encodeURIComponent(id)}/enabled`
      return everywhere(context, input, async (node) => {
        await context.client.ask('PUT', path, { body: { enabled }, node })
        return `plugin ${id} is ${name}d`
      })
    },
  }
}

async function plugins(context: Context, input: Input): Promise<readonly PluginView[]> {
  const node = await chosenNode(context, input)
  const answer = await context.client.get<{ plugins: readonly PluginView[] }>('/plugins', { node })
  return answer.plugins
}

async function list(context: Context, input: Input): Promise<number> {
  const { terminal } = context
  const all = await plugins(context, input)
  if (input.flag('json')) terminal.out(JSON.stringify(all, undefined, 2))
  else {
    const rows = all.map((one) => [
      { text: one.id },
      { text: one.version },
      { text: trustText(one) },
      { text: one.usedBy.join(', ') || '-' },
      { text: noteOf(one), ...(one.failure === undefined ? {} : { colour: 'red' as const }) },
    ])
    writeTable(terminal, ['PLUGIN', 'VERSION', 'TRUST', 'USED BY', ''], rows)
  }
  return exitCode.done
}

function noteOf(view: PluginView): string {
  if (view.failure !== undefined) return `${view.failure.reason}  [${view.failure.code}]`
  return view.enabled ? '' : 'disabled'
}

function trustText({ trust, signedBy, process }: PluginView): string {
  const who = trust === 'signed' ? `signed by ${signedBy ?? '?'}` : trust
  return process ? `${who}, a process` : who
}

async function tellInfo(context: Context, input: Input): Promise<number> {
  const what = input.argument('ID|FILE') ?? ''
  if (!/^[a-z][a-z0-9-]*$/.test(what)) {
    const node = await chosenNode(context, input)
    const body = await archiveOf(what, node !== undefined)
    tellOne(context, input, await context.client.ask('POST', '/plugins/inspect', { body, node }))
    return exitCode.done
  }
  const found = (await plugins(context, input)).filter(({ id }) => id === what)
  for (const view of found) tellOne(context, input, view)
  if (found.length > 0) return exitCode.done
  throw new HoldfastError('E_PLUGIN_UNKNOWN', `there is no plugin ${what}`, {
    hint: 'holdfast plugin list shows them',
  })
}

function tellOne(context: Context, input: Input, view: PluginView): void {
  const { terminal } = context
  if (input.flag('json')) {
    terminal.out(JSON.stringify(view, undefined, 2))
    return
  }
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
}

async function install(context: Context, input: Input): Promise<number> {
  const nodes = await chosenNodes(context, input)
  const archive = await archiveOf(input.argument('FILE') ?? '', nodes !== undefined)
  const seen = await context.client.ask<PluginView>('POST', '/plugins/inspect', {
    body: archive,
    node: nodes?.[0],
  })
  tellOne(context, input, seen)
  if (!input.flag('yes')) await confirm(context, seen)
  const body = { ...archive, capabilities: seen.capabilities }
  return everywhere(context, input, async (node) => {
    const { id, version } = await context.client.ask<PluginView>('POST', '/plugins', { body, node })
    return `plugin ${id} ${version} is installed`
  })
}

/** Who does not answer has not allowed anything. */
async function confirm(context: Context, view: PluginView): Promise<void> {
  const { stdin, terminal } = context
  if (view.capabilities.length === 0 && view.trust !== 'foreign') return
  if (!stdin.isTTY) {
    throw usageError('nobody is there to allow what the plugin asks for', 'read it, then add --yes')
  }
  const lines = createInterface({ input: stdin, output: process.stderr })
  const answer = await lines.question('install it? [y/N] ')
  lines.close()
  if (/^y(es)?$/i.test(answer.trim())) return
  terminal.err('nothing was installed')
  throw new HoldfastError(cliErrors.state, 'the plugin was not allowed')
}

async function archiveOf(file: string, mustTravel: boolean): Promise<object> {
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

async function remove(context: Context, input: Input): Promise<number> {
  const text = input.argument('ID@VERSION') ?? ''
  const [id = '', version] = text.split('@')
  if (version === undefined) throw usageError(`which version of ${id}?`, `write ${id}@1.0.0`)
  const path = `/plugins/${encodeURIComponent(id)}/${encodeURIComponent(version)}`
  return everywhere(context, input, async (node) => {
    await context.client.ask('DELETE', path, { node })
    return `plugin ${id} ${version} is removed`
  })
}

async function doctor(context: Context, input: Input): Promise<number> {
  const { terminal, client } = context
  const node = await chosenNode(context, input)
  const { sets, idle } = await client.get<PluginsReport>('/plugins-report', { node })
  const failed = sets.some((set) => set.failure !== undefined || set.plugins.some(isFailed))
  if (input.flag('json')) terminal.out(JSON.stringify({ sets, idle }, undefined, 2))
  else {
    for (const set of sets) tellSet(context, set)
    if (idle.length > 0) terminal.out('not active')
    for (const { id, version, reason } of idle) terminal.out(`  ${id} ${version}  ${reason}`)
  }
  return failed ? exitCode.refused : exitCode.done
}

function tellSet(context: Context, set: PluginsReport['sets'][number]): void {
  const { terminal } = context
  const name = set.module === undefined ? 'this node' : `module ${set.module}`
  terminal.out(terminal.colour('bold', name))
  if (set.failure !== undefined) {
    terminal.out(
      `  ${terminal.colour('red', 'failed')}  ${set.failure.reason}  [${set.failure.code}]`,
    )
  }
  const rows = set.plugins.map((one) => [
    { text: `  ${one.id} ${one.version}` },
    { text: one.state, colour: isFailed(one) ? ('red' as const) : ('green' as const) },
    { text: one.startedMs === undefined ? '' : `${one.startedMs.toFixed(0)} ms` },
    {
      text: one.failure?.reason ?? (one.after.length === 0 ? '' : `after ${one.after.join(', ')}`),
    },
  ])
  writeTable(terminal, ['  PLUGIN', 'STATE', 'START', ''], rows)
}

function isFailed({ state }: { readonly state: string }): boolean {
  return state !== 'active'
}
