/** An order to this node, or to each of several, with a line of result for each. */
import { HoldfastError } from '@holdfast/sdk'
import { exitCode } from '../exit.js'
import type { Context, Input } from '../spec.js'
import { chosenNodes } from './options.js'

/** `work` returns what is done, as a line. A node that refuses is told among the others. */
export async function everywhere(
  context: Context,
  input: Input,
  work: (node: string | undefined) => Promise<string>,
): Promise<number> {
  return await onNodes(context, await chosenNodes(context, input), work)
}

/** `nodes` undefined: this one. */
export async function onNodes(
  { terminal }: Context,
  nodes: readonly string[] | undefined,
  work: (node: string | undefined) => Promise<string>,
): Promise<number> {
  if (nodes === undefined) {
    terminal.out(await work(undefined))
    return exitCode.done
  }
  const results = await Promise.allSettled(nodes.map(work))
  const width = Math.max(...nodes.map((node) => node.length))
  let code: number = exitCode.done
  for (const [index, result] of results.entries()) {
    const label = (nodes[index] ?? '').padEnd(width)
    if (result.status === 'fulfilled') {
      terminal.out(`${label}  ${result.value}`)
      continue
    }
    const error: unknown = result.reason
    if (!(error instanceof HoldfastError)) throw error
    const next = error.hint === undefined ? '' : `; next: ${error.hint}`
    const failed = terminal.colour('red', 'failed')
    terminal.out(`${label}  ${failed}  ${error.message}  [${error.code}]${next}`)
    code = exitCode.refused
  }
  return code
}
