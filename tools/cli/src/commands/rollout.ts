/** Applies the sources of a module that runs, and shows each step until it has ended. */
import type { RolloutView } from '@holdfast/sdk'
import { exitCode } from '../exit.js'
import type { Context, OptionSpec } from '../spec.js'

/** The node that leads it gives up before that. */
const timeoutMs = 25 * 3_600_000
const pollMs = 300

export const stopOption: OptionSpec = {
  long: 'stop',
  summary: "what nodes can't have one after the other: stop all of them, apply, start again",
}

export async function rollOut(
  context: Context,
  name: string,
  request: { readonly stop: boolean; readonly plugins?: Readonly<Record<string, string>> },
): Promise<number> {
  const { client, terminal } = context
  const path = `/modules/${encodeURIComponent(name)}/rollout`
  let view = await client.ask<RolloutView>('POST', path, { body: request })
  for (const warning of view.warnings) terminal.warning(warning)
  const beganMs = performance.now()
  let shown = tellSteps(context, view, 0)
  while (view.state === 'running' && performance.now() - beganMs < timeoutMs) {
    terminal.status(`  ${view.doing ?? ''}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
    view = await client.get<RolloutView>(path)
    shown = tellSteps(context, view, shown)
  }
  return tellEnd(context, view)
}

function tellSteps({ terminal }: Context, { steps }: RolloutView, shown: number): number {
  for (const { what, nodes } of steps.slice(shown)) {
    terminal.out(`  ${nodes.join(', ')}  ${past[what]}`)
  }
  return steps.length
}

const past: Readonly<Record<RolloutView['steps'][number]['what'], string>> = {
  stop: 'stopped',
  apply: 'has the new configuration',
  start: 'started',
  swap: 'handed over to the other node',
}

function tellEnd({ terminal }: Context, view: RolloutView): number {
  const nodes = view.nodes.map(({ node, version, role }) =>
    version === undefined ? `${node} is not reached` : `${node} ${role ?? ''} version ${version}`,
  )
  if (view.state === 'done') {
    terminal.out(`${view.module}  applied: ${nodes.join(', ')}`)
    return exitCode.done
  }
  terminal.err(`${terminal.colour('red', 'holdfast:')} ${view.module} halted: ${view.reason ?? ''}`)
  terminal.err(`  now: ${nodes.join(', ')}`)
  if (view.hint !== undefined) terminal.err(`  next: ${view.hint}`)
  return exitCode.refused
}
