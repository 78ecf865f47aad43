/** `holdfast waitstate`: returns when the module has reached a state, for scripts. */
import type { WaitAnswer } from '../api/views.js'
import { exitCode, usageError } from '../exit.js'
import { stateText } from '../output/format.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import {
  chosenModule,
  chosenNode,
  moduleOption,
  nodesOption,
  timeOf,
  timeoutOption,
} from './options.js'

const roles = ['STOP', 'WAIT', 'ALONE', 'PRIM', 'SECOND', 'UP'] as const
/** One question to the node takes at most this long; then it is asked again. */
const questionMs = 20_000

export const waitstateCommand: CommandSpec = {
  name: 'waitstate',
  summary: 'wait until the state is stable and one of these',
  arguments: [
    {
      name: 'states',
      required: true,
      summary: `${roles.join(', ')}; several separated by commas`,
      complete: roles,
    },
  ],
  options: [
    moduleOption,
    { ...nodesOption, summary: 'on this node instead of this one' },
    timeoutOption('how long to wait (60s)'),
  ],
  examples: ['holdfast waitstate -m web PRIM,ALONE --timeout 2m'],
  run,
}

async function run(context: Context, input: Input): Promise<number> {
  const states = checkedStates(input.argument('states') ?? '')
  const deadlineMs = performance.now() + timeOf(input, 'timeout', '60s')
  const node = await chosenNode(context, input)
  const module = await chosenModule(context, input.option('module'), node)
  for (;;) {
    const leftMs = Math.max(0, Math.round(deadlineMs - performance.now()))
    const timeoutMs = Math.min(leftMs, questionMs)
    const answer = await context.client.get<WaitAnswer>(
      `/modules/${encodeURIComponent(module)}/wait`,
      {
        query: { state: states.join(','), timeoutMs: String(timeoutMs) },
        node,
        timeoutMs: timeoutMs + questionMs,
      },
    )
    const now = answer.state === undefined ? 'NOT CONFIGURED' : stateText(answer.state)
    if (answer.reached) {
      context.terminal.out(`${module}  ${now}`)
      return exitCode.done
    }
    if (performance.now() >= deadlineMs || answer.state === undefined) {
      const cause = answer.state === undefined ? '' : `: ${answer.state.cause}`
      context.terminal.err(`${module}  not ${states.join(' or ')}, still ${now}${cause}`)
      return exitCode.refused
    }
  }
}

function checkedStates(text: string): readonly string[] {
  const states = text.toUpperCase().split(',')
  const wrong = states.find((state) => !roles.some((role) => role === state))
  if (wrong === undefined) return states
  throw usageError(`"${wrong}" is not a state`, `states are ${roles.join(', ')}`)
}
