/** `holdfast plugin`: what is installed, installing it, and why one is not active. */
import { HoldfastError, type PluginsReport, type PluginView } from '@holdfast/sdk'
import { exitCode, usageError } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from '../spec.js'
import { everywhere } from './everywhere.js'
import { chosenNode, jsonOption, nodesOption } from './options.js'
import {
  archiveOf,
  installPlugin,
  noteOf,
  pluginsOf,
  tellPlugin,
  trustText,
  yesOption,
} from './plugin-install.js'

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
      summary: 'install a plugin; no module uses it before it is configured so',
      arguments: [
        {
          ...{ name: 'WHAT', required: true, complete: 'file' },
          summary: 'an archive, or [REGISTRY/]ID[@RANGE] of the registries, with what it requires',
        },
      ],
      options: [nodesOption, yesOption],
      examples: [
        'holdfast plugin install checker-redis-1.0.0.hfp -H "*"',
        'holdfast plugin install checker-redis@^1.0.0 -H "*"',
      ],
      run: installPlugin,
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
  return await pluginsOf(context, await chosenNode(context, input))
}

async function list(context: Context, input: Input): Promise<number> {
  const { terminal } = context
  const all = await plugins(context, input)
  if (input.flag('json')) terminal.json(all)
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

async function tellInfo(context: Context, input: Input): Promise<number> {
  const what = input.argument('ID|FILE') ?? ''
  if (!/^[a-z][a-z0-9-]*$/.test(what)) {
    const node = await chosenNode(context, input)
    const body = await archiveOf(what, node !== undefined)
    tell(context, input, [
      await context.client.ask<PluginView>('POST', '/plugins/inspect', { body, node }),
    ])
    return exitCode.done
  }
  const found = (await plugins(context, input)).filter(({ id }) => id === what)
  tell(context, input, found)
  if (found.length > 0) return exitCode.done
  throw new HoldfastError('E_PLUGIN_UNKNOWN', `there is no plugin ${what}`, {
    hint: 'holdfast plugin list shows them',
  })
}

function tell({ terminal }: Context, input: Input, views: readonly PluginView[]): void {
  for (const view of views) {
    if (input.flag('json')) terminal.json(view)
    else tellPlugin(terminal, view)
  }
}

async function remove(context: Context, input: Input): Promise<number> {
  const text = input.argument('ID@VERSION') ?? ''
  const [id = '', version] = text.split('@')
  if (version === undefined) {
    const there = (await pluginsOf(context, undefined)).filter((view) => view.id === id)
    const names = there.map((view) => `${id}@${view.version}`).join(' or ')
    throw usageError(`which version of ${id}?`, `write ${names || `${id}@1.0.0`}`)
  }
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
  if (input.flag('json')) terminal.json({ sets, idle })
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
