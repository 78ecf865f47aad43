/** `holdfast module`: installing and configuring modules. */
import { HoldfastError } from '@holdfast/sdk'
import type { ClusterView, ConfigReport, ModulesAnswer, ModuleView } from '../api/views.js'
import { exitCode, usageError } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from '../spec.js'
import { moduleCommandsCommand } from './offered-list.js'
import { chosenModule, chosenNode, jsonOption, nodesOption } from './options.js'
import { packageCommands } from './packages.js'
import { rollOut, stopOption } from './rollout.js'

const nameArgument: ArgumentSpec = {
  name: 'NAME',
  summary: 'the module; not needed when there is only one',
  complete: 'module',
}

const membersOption: OptionSpec = {
  long: 'nodes',
  value: 'NODES',
  summary: 'nodes that run the module (n1,n2); all nodes of the cluster unless told',
  complete: 'node',
}

const movedOption: OptionSpec = {
  long: 'plugin',
  value: 'ID[@VERSION]',
  summary: 'move to this version of a plugin, the newest unless told; all others stay as they are',
  repeated: true,
}

const rollingOption: OptionSpec = {
  long: 'rolling',
  summary: 'while the module runs, node by node: the secondary first, then the roles are swapped',
}

export const moduleCommand: CommandSpec = {
  name: 'module',
  summary: 'install, configure and remove modules',
  examples: ['holdfast module install web ./web', 'holdfast module config web'],
  commands: [
    ...packageCommands,
    {
      name: 'config',
      summary: 'validate the sources and apply them on all nodes of the module, or on none',
      arguments: [nameArgument],
      options: [membersOption, movedOption, rollingOption, stopOption],
      examples: [
        'holdfast module config web',
        'holdfast module config web --rolling',
        'holdfast module config web --nodes n1,n2',
        'holdfast module config web --plugin checker-redis@1.1.0',
      ],
      run: configure,
    },
    {
      name: 'deconfig',
      summary: 'take the applied configuration back on all nodes of the module',
      arguments: [nameArgument],
      examples: ['holdfast module deconfig web'],
      run: deconfigure,
    },
    moduleCommandsCommand,
    {
      name: 'uninstall',
      summary: 'remove the sources from this node',
      arguments: [{ ...nameArgument, required: true, summary: 'the module' }],
      examples: ['holdfast module uninstall web'],
      run: uninstall,
    },
    {
      name: 'list',
      summary: 'modules of this node',
      options: [
        { ...nodesOption, summary: 'of this node instead of this one' },
        { short: 'q', long: 'quiet', summary: 'only names' },
        jsonOption,
      ],
      examples: ['holdfast module list'],
      run: list,
    },
    {
      name: 'check',
      summary: 'is the applied module the same, and without failure, on all its nodes?',
      arguments: [nameArgument],
      examples: ['holdfast module check web'],
      run: check,
    },
  ],
}

async function configure(context: Context, input: Input): Promise<number> {
  const name = await chosenModule(context, input.argument('NAME'))
  const members = input.option('nodes')
  const moved = input.options('plugin').map((text) => {
    const [id = '', version = 'newest'] = text.split('@')
    return [id, version] as const
  })
  if (input.flag('rolling') || input.flag('stop')) {
    if (members !== undefined) {
      throw usageError(
        '--nodes can not be changed while the module runs',
        'stop it, then configure',
      )
    }
    return await rollOut(context, name, { stop: input.flag('stop'), ...pluginsOf(moved) })
  }
  const body = {
    ...(members === undefined ? {} : { nodes: members.split(',') }),
    ...pluginsOf(moved),
  }
  const path = `/modules/${encodeURIComponent(name)}/config`
  const report = await context.client.ask<ConfigReport>('POST', path, { body })
  tellReport(context, name, 'configured', report)
  return exitCode.done
}

function pluginsOf(moved: readonly (readonly [string, string])[]): {
  readonly plugins?: Readonly<Record<string, string>>
} {
  return moved.length === 0 ? {} : { plugins: Object.fromEntries(moved) }
}

async function deconfigure(context: Context, input: Input): Promise<number> {
  const name = await chosenModule(context, input.argument('NAME'))
  const path = `/modules/${encodeURIComponent(name)}/deconfig`
  const report = await context.client.ask<ConfigReport>('POST', path, { body: {} })
  tellReport(context, name, 'deconfigured', report)
  return exitCode.done
}

function tellReport(context: Context, name: string, what: string, report: ConfigReport): void {
  for (const warning of report.warnings) context.terminal.warning(warning)
  context.terminal.out(`${name}  ${what} on ${report.nodes.join(', ')}`)
}

async function uninstall(context: Context, input: Input): Promise<number> {
  const name = input.argument('NAME') ?? ''
  await context.client.ask('DELETE', `/modules/${encodeURIComponent(name)}`)
  context.terminal.out(`${name}  removed from this node`)
  return exitCode.done
}

async function list(context: Context, input: Input): Promise<number> {
  const { terminal, client } = context
  const node = await chosenNode(context, input)
  const { modules } = await client.get<ModulesAnswer>('/modules', { node })
  if (input.flag('json')) {
    terminal.json(modules)
  } else if (input.flag('quiet')) {
    for (const { name } of modules) terminal.out(name)
  } else if (modules.length === 0) {
    terminal.out(
      'No module is installed.  next: holdfast registry search, then holdfast module install NAME',
    )
  } else {
    const rows = modules.map((module) => [
      { text: module.name },
      { text: module.id === undefined ? '' : String(module.id) },
      { text: module.version },
      { text: module.configured ? module.nodes.join(',') : 'not configured' },
      { text: module.title },
    ])
    writeTable(terminal, ['MODULE', 'ID', 'VERSION', 'CONFIGURED ON', 'TITLE'], rows)
  }
  return exitCode.done
}

async function check(context: Context, input: Input): Promise<number> {
  const { client, terminal } = context
  const name = await chosenModule(context, input.argument('NAME'))
  const path = `/modules/${encodeURIComponent(name)}`
  const here = await client.get<ModuleView>(path)
  const { self } = await client.get<ClusterView>('/cluster')
  const nodes = here.nodes.length > 0 ? here.nodes : [self ?? 'this node']
  const problems = await Promise.all(
    nodes.map((node) =>
      problemOn(context, path, here, node === self || self === undefined ? undefined : node),
    ),
  )
  for (const [index, node] of nodes.entries()) {
    const problem = problems[index]
    const verdict =
      problem === undefined ? terminal.colour('green', 'good') : terminal.colour('red', problem)
    terminal.out(`${node}  ${verdict}`)
  }
  return problems.every((problem) => problem === undefined) ? exitCode.done : exitCode.refused
}

async function problemOn(
  context: Context,
  path: string,
  here: ModuleView,
  node: string | undefined,
): Promise<string | undefined> {
  try {
    const there = await context.client.get<ModuleView>(path, { node })
    if (there.failure !== undefined) return `${there.failure.reason}  [${there.failure.code}]`
    if (!there.configured) return `not configured; next: holdfast module config ${here.name}`
    if (there.version !== here.version)
      return `version ${there.version}, here it is ${here.version}`
    if (there.id !== here.id) return `id ${String(there.id)}, here it is ${String(here.id)}`
    return undefined
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return `${error.message}  [${error.code}]`
  }
}
