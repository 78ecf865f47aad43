/** Runs what a plugin of a module offers to the operator: parameters checked before, the result checked after. */
import {
  type Clock,
  type Command,
  type CommandResult,
  type CommandView,
  HoldfastError,
  messageOf,
} from '@holdfast/sdk'
import { within } from '../scheduling/deadline.js'
import { compileSchema } from '../schema/validate.js'

export const commandTimeoutMs = 600_000
const linesMax = 10_000
/** Options that the command line has for each command. */
const reservedNames = ['module', 'nodes', 'json', 'help']
/** A single word would be taken for one of the program's own. */
const wordsForm = /^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*){1,2}$/
/** An answer travels between nodes in one message of 1 MiB. */
const resultBytesMax = 800 * 1024

export function viewOf(words: string, command: Command): CommandView {
  const { summary, parameters, positional } = command
  return { words, summary, parameters, positional }
}

/** One sentence about the first that people could not type or the host not check. */
export function malformedCommand(commands: ReadonlyMap<string, Command>): string | undefined {
  for (const [words, command] of commands) {
    if (!wordsForm.test(words)) return `the command "${words}" is not two or three plain words`
    const taken = namesOf(command).filter((name) => reservedNames.includes(name))
    if (taken.length > 0) return `the command "${words}" takes the name of ${taken.join(', ')}`
    try {
      compileSchema(command.parameters)
    } catch (thrown) {
      return `the command "${words}" has a malformed schema: ${messageOf(thrown)}`
    }
  }
  return undefined
}

export async function runCommand(
  commands: ReadonlyMap<string, Command>,
  request: {
    readonly command: string
    readonly parameters: Readonly<Record<string, unknown>>
    readonly signal: AbortSignal
    readonly clock: Pick<Clock, 'after'>
  },
): Promise<CommandResult> {
  const { command: words, clock } = request
  const command = commands.get(words)
  if (command === undefined) throw unknown(words, [...commands.keys()])
  const parameters = checkedParameters(words, command, request.parameters)
  const over = new AbortController()
  try {
    const run = (async () =>
      await command.run(parameters, AbortSignal.any([request.signal, over.signal])))()
    return checkedResult(words, await within(clock, commandTimeoutMs, `"${words}"`, run))
  } catch (thrown) {
    if (thrown instanceof HoldfastError) throw thrown
    // Foreign code: its bug is an answer with its name, and the daemon goes on.
    throw defect(words, messageOf(thrown), thrown)
  } finally {
    over.abort()
  }
}

function checkedParameters(
  words: string,
  command: Command,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number | boolean>> {
  const parameters = structuredClone(given) // Defaults are filled in.
  const problems = compileSchema(command.parameters)(parameters)
  if (problems.length > 0) {
    const all = problems.map(({ pointer, message }) => `${pointer.slice(1)} ${message}`.trim())
    throw new HoldfastError('E_COMMAND_INVALID', `"${words}": ${all.join('; ')}`, {
      hint: `holdfast ${words} --help`,
    })
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value === 'object') throw defect(words, `its parameter ${name} is no plain value`)
  }
  return parameters as Record<string, string | number | boolean> // As checked.
}

function namesOf({ parameters }: Command): readonly string[] {
  const properties: unknown = 'properties' in parameters ? parameters.properties : undefined
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
}

/** Only what JSON keeps gets out, within written maxima. */
function checkedResult(words: string, result: CommandResult): CommandResult {
  const text = JSON.stringify(result) as string | undefined // undefined for what is not JSON.
  const copy: unknown = text === undefined ? undefined : JSON.parse(text)
  if (text === undefined || !isResult(copy)) throw defect(words, 'it returned no result')
  if (Buffer.byteLength(text) > resultBytesMax || copy.lines.length > linesMax) {
    throw new HoldfastError('E_COMMAND_TOO_LARGE', `the result of "${words}" is too large`, {
      hint: 'ask for less',
    })
  }
  return { ok: copy.ok, lines: copy.lines, data: copy.data ?? null }
}

function isResult(value: unknown): value is CommandResult {
  if (typeof value !== 'object' || value === null) return false
  if (!('ok' in value) || typeof value.ok !== 'boolean') return false
  if (!('lines' in value) || !Array.isArray(value.lines)) return false
  return value.lines.every((line) => typeof line === 'string')
}

function unknown(words: string, known: readonly string[]): HoldfastError {
  return new HoldfastError('E_COMMAND_UNKNOWN', `the module has no command "${words}"`, {
    hint: known.length === 0 ? 'it has none at the moment' : `it has: ${known.join(', ')}`,
  })
}

function defect(words: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('E_COMMAND_FAILED', `"${words}" failed: ${what}`, {
    hint: 'this is a defect of the plugin that offers it',
    cause,
  })
}
