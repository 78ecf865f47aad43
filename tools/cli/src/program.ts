/** Turns the descriptions of commands into a parser. The only file that knows commander. */
import { Argument, Command, CommanderError, Option } from 'commander'
import { exitCode } from './exit.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from './spec.js'

const environmentHelp = `
The plugins of a module offer more (failover, resource, rfs …): holdfast module commands

Environment:
  HOLDFAST_MODULE, SAFEMODULE   the module, when there is no -m
  HOLDFAST_TOKEN                the token of "cluster join"
  HOLDFAST_SOCKET               the socket of holdfastd (default /run/holdfast/api.sock)
  NO_COLOR                      no colours

Exit codes: 0 done, 1 refused or not reached, 2 wrong usage, 3 holdfastd is not running`

/** Parses `words` and runs the command they name. Returns the exit code. */
export async function runProgram(
  context: Context,
  version: string,
  words: readonly string[],
): Promise<number> {
  let code: number = exitCode.done
  const root = new Command('holdfast')
    .description('Orders and questions for a node of a Holdfast cluster')
    .version(version, '--version', 'print the version')
    .addHelpText('after', environmentHelp)
  prepare(root, context)
  for (const spec of context.commands) {
    add(root, spec, context, (result) => {
      code = result
    })
  }
  try {
    await root.parseAsync([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 || error.code === 'commander.help' ? exitCode.done : exitCode.usage
  }
  return code
}

/** Settings that commander does not hand down to subcommands by itself. */
function prepare(command: Command, context: Context): void {
  command
    .exitOverride()
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => {
        context.terminal.out(text.trimEnd())
      },
      writeErr: (text) => {
        context.terminal.err(text.trimEnd())
      },
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'holdfast: '))
      },
      getOutHelpWidth: () => context.terminal.width,
    })
    .showHelpAfterError(`  see: ${pathOf(command)} --help${offeredHint(command)}`)
}

function add(
  parent: Command,
  spec: CommandSpec,
  context: Context,
  finish: (code: number) => void,
): void {
  const command = parent.command(spec.name).description(spec.summary)
  prepare(command, context)
  if (spec.arguments === undefined && spec.options?.some(({ long }) => long === 'module')) {
    // `stop web` is what people type first.
    command.showHelpAfterError(
      `  see: ${pathOf(command)} --help; the module is named with -m MODULE`,
    )
  }
  for (const argument of spec.arguments ?? []) command.addArgument(argumentOf(argument))
  for (const option of spec.options ?? []) command.addOption(optionOf(option))
  if (spec.examples.length > 0) {
    command.addHelpText(
      'after',
      `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`,
    )
  }
  for (const child of spec.commands ?? []) add(command, child, context, finish)
  const { run } = spec
  if (run === undefined) return
  command.action(async () => {
    finish(await run(context, inputOf(command, spec)))
  })
}

function argumentOf(spec: ArgumentSpec): Argument {
  const name = spec.required === true ? `<${spec.name}>` : `[${spec.name}]`
  return new Argument(name, spec.summary)
}

function optionOf(spec: OptionSpec): Option {
  const short = spec.short === undefined ? '' : `-${spec.short}, `
  const value = spec.value === undefined ? '' : ` <${spec.value}>`
  const option = new Option(`${short}--${spec.long}${value}`, spec.summary)
  if (spec.repeated === true) {
    option.argParser((text: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      text,
    ])
  }
  return option
}

function inputOf(command: Command, spec: CommandSpec): Input {
  const values = new Map(Object.entries(command.opts()))
  const names = (spec.arguments ?? []).map((argument) => argument.name)
  const read = (long: string): unknown => values.get(camelCase(long))
  return {
    argument: (name) => command.args[names.indexOf(name)],
    option: (long) => {
      const value = read(long)
      return typeof value === 'string' ? value : undefined
    },
    options: (long) => {
      const value = read(long)
      return Array.isArray(value) ? value.map(String) : []
    },
    // Commander keeps `--no-wait` as `wait: false`.
    flag: (long) => (long.startsWith('no-') ? read(long.slice(3)) === false : read(long) === true),
  }
}

function camelCase(long: string): string {
  return long.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** A plugin's command is unknown as long as the module does not use that plugin. */
function offeredHint(command: Command): string {
  return command.parent === null ? '; what plugins of a module offer: holdfast module commands' : ''
}

function pathOf(command: Command): string {
  const parent = command.parent
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`
}
