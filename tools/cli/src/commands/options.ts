/** Options that many commands have, and what they mean. */
import { HoldfastError, parseDuration } from '@holdfast/sdk'
import type { ClusterView, ModulesAnswer } from '../api/views.js'
import { cliErrors, usageError } from '../exit.js'
import type { Context, Input, OptionSpec } from '../spec.js'

export const moduleOption: OptionSpec = {
  short: 'm',
  long: 'module',
  value: 'MODULE',
  summary: 'the module; not needed when there is only one',
  complete: 'module',
}

export const nodesOption: OptionSpec = {
  short: 'H',
  long: 'nodes',
  value: 'NODES',
  summary: 'on these nodes (n1,n2) or on all ("*") instead of this one',
  complete: 'node',
}

export const jsonOption: OptionSpec = { long: 'json', summary: 'as JSON' }

export function timeoutOption(summary: string): OptionSpec {
  return { long: 'timeout', value: 'TIME', summary }
}

/** From -m, from the environment (scripts of a module run with it), or the only module there is. */
export async function chosenModule(
  context: Context,
  name: string | undefined,
  node?: string,
): Promise<string> {
  const { environment, client } = context
  const given =
    name ?? nonEmpty(environment['HOLDFAST_MODULE']) ?? nonEmpty(environment['SAFEMODULE'])
  if (given !== undefined) return given
  const { modules } = await client.get<ModulesAnswer>('/modules', { node })
  const [only, ...others] = modules
  if (only === undefined) {
    throw new HoldfastError(cliErrors.module, 'no module is installed', {
      hint: '"holdfast registry search" shows what there is; then holdfast module install NAME',
    })
  }
  if (others.length > 0) {
    const names = modules.map((module) => module.name).join(', ')
    throw usageError(`which module? There are ${names}`, `choose one with -m ${only.name}`)
  }
  return only.name
}

/** Undefined: this node, without a detour. */
export async function chosenNodes(
  context: Context,
  input: Input,
): Promise<readonly string[] | undefined> {
  const text = input.option('nodes')
  if (text === undefined) return undefined
  if (text !== '*') {
    const names = [...new Set(text.split(',').map((name) => name.trim()))]
    if (names.every((name) => name !== '')) return names
    throw usageError(`-H ${text} is not a list of nodes`, 'write -H n1,n2 or -H "*"')
  }
  const { nodes } = await context.client.get<ClusterView>('/cluster')
  if (nodes.length > 0) return nodes.map((view) => view.node)
  throw new HoldfastError(cliErrors.state, 'this node belongs to no cluster', {
    hint: 'holdfast cluster init, or holdfast cluster join',
  })
}

/** One node at most, for commands whose output is about one. */
export async function chosenNode(context: Context, input: Input): Promise<string | undefined> {
  const nodes = await chosenNodes(context, input)
  if (nodes === undefined || nodes.length === 1) return nodes?.[0]
  throw usageError('this command asks one node', 'write one name behind -H')
}

/** Milliseconds; a bare number counts seconds; `fallback` when the option is not given. */
export function timeOf(input: Input, long: string, fallback: string): number {
  const text = input.option(long) ?? fallback
  try {
    return parseDuration(/^[\d.]+$/.test(text) ? `${text}s` : text, 'ms')
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    throw usageError(`--${long}: ${error.message}`, error.hint ?? 'write for example 30s')
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
