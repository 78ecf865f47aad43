/** Commands that the plugins of a module offer: `holdfast failover explain -m app`. Described by the node, not here. */
import { HoldfastError } from '@holdfast/sdk'
import type { CommandResult, CommandsAnswer, CommandView } from '../api/views.js'
import { exitCode, usageError } from '../exit.js'
import { printable } from '../output/format.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from '../spec.js'
import { chosenModule, chosenNodes, jsonOption, moduleOption, nodesOption } from './options.js'

/** Beyond the 10 minutes that the node gives a command. */
const answerTimeoutMs = 620_000

/** Of a group's help. */
const examplesMax = 4

interface Property {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean'
  readonly description: string
  readonly required: boolean
  readonly allowed: readonly string[] | undefined
}

/** The node's description of the commands, as this program describes its own. Groups come from the first words. */
export function specsOf(commands: readonly CommandView[]): readonly CommandSpec[] {
  const roots = new Map<string, CommandSpec[]>()
  for (const command of commands) {
    const [first = '', ...rest] = command.words.split(' ')
    roots.set(first, [...(roots.get(first) ?? []), nested(rest, specOf(command))])
  }
  return [...roots].map(([name, children]) => groupOf(name, merged(children)))
}

/** The words behind the first one, with the spec at the end. */
function nested(words: readonly string[], spec: CommandSpec): CommandSpec {
  const [name, ...rest] = words
  if (name === undefined || rest.length === 0) return { ...spec, name: name ?? spec.name }
  return groupOf(name, [nested(rest, spec)])
}

function groupOf(name: string, commands: readonly CommandSpec[]): CommandSpec {
  const names = commands.map((command) => command.name).join(', ')
  const examples = commands.flatMap((command) => command.examples).slice(0, examplesMax)
  return { name, summary: `${names}: offered by a plugin of the module`, examples, commands }
}

/** `resource list` and `resource set` are two commands of one group. */
function merged(specs: readonly CommandSpec[]): readonly CommandSpec[] {
  const byName = new Map<string, CommandSpec>()
  for (const spec of specs) {
    const twin = byName.get(spec.name)
    const commands = merged([...(twin?.commands ?? []), ...(spec.commands ?? [])])
    byName.set(spec.name, commands.length === 0 ? spec : { ...spec, ...twin, commands })
  }
  return [...byName.values()]
}

function specOf(command: CommandView): CommandSpec {
  const properties = propertiesOf(command.parameters)
  const isPositional = ({ name }: Property): boolean => command.positional.includes(name)
  const named = command.positional.flatMap((name) => properties.filter((one) => one.name === name))
  const others = properties.filter((one) => !isPositional(one))
  const typed = named.map(({ name, required }) => (required ? ` ${name}` : ''))
  return {
    name: command.words.slice(command.words.lastIndexOf(' ') + 1),
    summary: command.summary,
    arguments: named.map(argumentOf),
    options: [...others.map(optionOf), moduleOption, nodesOption, jsonOption],
    examples: [`holdfast ${command.words}${typed.join('')} -m MODULE`],
    run: (context, input) => run(context, input, command, properties),
  }
}

function argumentOf({ name, description, required, allowed }: Property): ArgumentSpec {
  return {
    name,
    summary: description,
    required,
    ...(allowed === undefined ? {} : { complete: allowed }),
  }
}

function optionOf({ name, type, description, required, allowed }: Property): OptionSpec {
  const list = allowed === undefined ? '' : ` (${allowed.join(', ')})`
  return {
    long: name,
    summary: `${description}${list}${required ? '; needed' : ''}`,
    ...(type === 'boolean' ? {} : { value: type === 'string' ? 'TEXT' : 'NUMBER' }),
    ...(allowed === undefined ? {} : { complete: allowed }),
  }
}

async function run(
  context: Context,
  input: Input,
  command: CommandView,
  properties: readonly Property[],
): Promise<number> {
  const parameters = parametersOf(input, command, properties)
  const nodes = await chosenNodes(context, input)
  const module = await chosenModule(context, input.option('module'), nodes?.[0])
  const path = `/modules/${encodeURIComponent(module)}/commands/run`
  const body = { command: command.words, parameters }
  const ask = (node: string | undefined): Promise<CommandResult> =>
    context.client.ask('POST', path, { body, node, timeoutMs: answerTimeoutMs })
  if (nodes === undefined) return tell(context, input, await ask(undefined))
  const results = await Promise.allSettled(nodes.map(ask))
  const answers = results.map((result, index) => ({
    node: nodes[index] ?? '',
    result: result.status === 'fulfilled' ? result.value : failed(result.reason),
  }))
  return tellAll(context, input, answers)
}

/** A node that refuses is told among the others. */
function failed(reason: unknown): CommandResult {
  if (!(reason instanceof HoldfastError)) throw reason
  const { code, message, hint } = reason
  const next = hint === undefined ? [] : [`next: ${hint}`]
  return { ok: false, lines: [`${message}  [${code}]`, ...next], data: { code, message, hint } }
}

function tell(context: Context, input: Input, result: CommandResult): number {
  const { terminal } = context
  if (input.flag('json')) terminal.json(result.data)
  else for (const line of result.lines) terminal.out(printable(line))
  return result.ok ? exitCode.done : exitCode.refused
}

function tellAll(
  context: Context,
  input: Input,
  answers: readonly { readonly node: string; readonly result: CommandResult }[],
): number {
  const { terminal } = context
  if (input.flag('json')) {
    const data = Object.fromEntries(answers.map(({ node, result }) => [node, result.data]))
    terminal.json(data)
  } else {
    const width = Math.max(...answers.map(({ node }) => node.length))
    for (const { node, result } of answers) {
      for (const line of result.lines) terminal.out(`${node.padEnd(width)}  ${printable(line)}`)
    }
  }
  return answers.every(({ result }) => result.ok) ? exitCode.done : exitCode.refused
}

function parametersOf(
  input: Input,
  command: CommandView,
  properties: readonly Property[],
): Readonly<Record<string, string | number | boolean>> {
  const values: Record<string, string | number | boolean> = {}
  for (const property of properties) {
    const { name, type } = property
    if (type === 'boolean' && !command.positional.includes(name)) {
      if (input.flag(name)) values[name] = true
      continue
    }
    const text = command.positional.includes(name) ? input.argument(name) : input.option(name)
    if (text !== undefined) values[name] = valueOf(text, property)
  }
  return values
}

/** The node checks everything else; but only here a number is text. */
function valueOf(text: string, { name, type }: Property): string | number | boolean {
  if (type === 'string') return text
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true'
    throw usageError(`${name}: "${text}" is not allowed`, 'write true or false')
  }
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) return number
  throw usageError(`${name}: "${text}" is not a number`, 'write a number')
}

function propertiesOf(schema: object): readonly Property[] {
  const properties = 'properties' in schema ? schema.properties : {}
  const required = 'required' in schema && Array.isArray(schema.required) ? schema.required : []
  return Object.entries(properties ?? {}).map(([name, value]: [string, unknown]) => {
    const { type, description, enum: allowed } = { ...(value as Record<string, unknown>) } // JSON schema.
    return {
      name,
      type: type === 'integer' || type === 'number' || type === 'boolean' ? type : 'string',
      description: typeof description === 'string' ? description : '',
      required: required.includes(name),
      allowed: Array.isArray(allowed) ? allowed.map(String) : undefined,
    }
  })
}

/** What the plugins of the module offer that these words may mean; nothing when they are the program's own. */
export async function offeredFor(
  context: Context,
  words: readonly string[],
): Promise<readonly CommandSpec[]> {
  const [first] = words
  if (first === undefined || first.startsWith('-')) return []
  if (context.commands.some(({ name }) => name === first)) return []
  try {
    const node = valueBehind(words, '-H', '--nodes')?.split(',')[0]
    const at = node === '*' ? undefined : node
    const module = await chosenModule(context, valueBehind(words, '-m', '--module'), at)
    const path = `/modules/${encodeURIComponent(module)}/commands`
    const { commands } = await context.client.get<CommandsAnswer>(path, { node: at })
    return specsOf(commands)
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    // Most often a word that was misspelt: then the daemon is not to blame.
    if (valueBehind(words, '-m', '--module') !== undefined) throw error
    return []
  }
}

function valueBehind(words: readonly string[], short: string, long: string): string | undefined {
  const at = words.findIndex((word) => word === short || word === long)
  if (at >= 0) return words[at + 1]
  return words.find((word) => word.startsWith(`${long}=`))?.slice(long.length + 1)
}
