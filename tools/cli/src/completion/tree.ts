/** The tree of commands, flat, as completion scripts need it. */
import type { CommandSpec, Completion, OptionSpec } from '../spec.js'

export interface TreeNode {
  /** `/module/config`; empty for `holdfast` itself. */
  readonly path: string
  readonly children: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly OptionSpec[]
  /** What its arguments may be. */
  readonly completions: readonly Completion[]
}

const helpOption: OptionSpec = { short: 'h', long: 'help', summary: 'print the help' }
const versionOption: OptionSpec = { long: 'version', summary: 'print the version' }

export function nodesOf(commands: readonly CommandSpec[]): readonly TreeNode[] {
  const children = commands.map(({ name, summary }) => ({ name, summary }))
  const root = {
    path: '',
    children,
    options: [helpOption, versionOption],
    completions: ['command' as const],
  }
  return [root, ...commands.flatMap((command) => walk('', command))]
}

function walk(parent: string, command: CommandSpec): readonly TreeNode[] {
  const path = `${parent}/${command.name}`
  const commands = command.commands ?? []
  const completions = (command.arguments ?? []).flatMap(({ complete }) =>
    complete === undefined ? [] : [complete],
  )
  const node = {
    path,
    children: commands.map(({ name, summary }) => ({ name, summary })),
    options: [...(command.options ?? []), helpOption],
    completions,
  }
  return [node, ...commands.flatMap((child) => walk(path, child))]
}

/** Flags of an option as they are typed. */
export function flagsOf(option: OptionSpec): readonly string[] {
  return option.short === undefined
    ? [`--${option.long}`]
    : [`-${option.short}`, `--${option.long}`]
}

/** Shell text that prints the candidates of a completion, one a line. Nodes, modules and what plugins offer are asked for live. */
export function listCommand(completion: Exclude<Completion, 'file'>): string {
  if (completion === 'module') return 'holdfast module list -q 2>/dev/null'
  if (completion === 'command') return 'holdfast module commands -q 2>/dev/null'
  if (completion === 'node') return 'holdfast cluster state -q 2>/dev/null'
  return `printf '%s\\n' ${completion.join(' ')}`
}
