/** Orders to a module: start, stop, prim, swap … on this node or on several. */
import { HoldfastError, type OperatorCommand } from '@holdfast/sdk'
import { exitCode, usageError } from '../exit.js'
import { follow, type Order, type Result } from '../follow/follow.js'
import { stateColour, stateText } from '../output/format.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import {
  chosenModule,
  chosenNodes,
  moduleOption,
  nodesOption,
  timeOf,
  timeoutOption,
} from './options.js'

interface OrderText {
  readonly command: OperatorCommand
  readonly summary: string
  readonly canCopyAll?: boolean
  readonly example: string
}

const texts: readonly OrderText[] = [
  {
    command: 'start',
    summary: 'start the module; its role follows from its data',
    example: '-m web',
  },
  { command: 'stop', summary: 'stop the module; its peer takes over', example: '-m web -H "*"' },
  { command: 'restart', summary: 'restart the application where it runs', example: '-m web' },
  { command: 'stopstart', summary: 'stop, then start: the peer takes over', example: '-m web' },
  { command: 'swap', summary: 'exchange the roles of the two nodes', example: '-m web' },
  {
    command: 'prim',
    summary: 'start as primary: the data of this node is the good one',
    canCopyAll: true,
    example: '-m web',
  },
  {
    command: 'primforce',
    summary: 'start as primary even on data that may be incomplete',
    example: '-m web',
  },
  {
    command: 'second',
    summary: 'start as secondary: the data comes from the peer',
    canCopyAll: true,
    example: '-m web',
  },
  { command: 'forcestop', summary: 'stop now, without waiting for scripts', example: '-m web' },
]

export const orderCommands: readonly CommandSpec[] = texts.map((text) => ({
  name: text.command,
  summary: text.summary,
  ...(text.canCopyAll === true
    ? {
        arguments: [
          { name: 'fullsync', summary: 'copy all files again', complete: ['fullsync'] as const },
        ],
      }
    : {}),
  options: [
    moduleOption,
    nodesOption,
    { short: 'i', long: 'identity', value: 'IDENT', summary: 'who asks, for the log' },
    { long: 'cause', value: 'TEXT', summary: 'why, for the log' },
    { long: 'no-wait', summary: 'return when the order is accepted' },
    timeoutOption('how long to follow until the state is stable (60s)'),
  ],
  examples: [`holdfast ${text.command} ${text.example}`],
  run: (context: Context, input: Input) => run(context, input, text.command),
}))

async function run(context: Context, input: Input, command: OperatorCommand): Promise<number> {
  const timeoutMs = timeOf(input, 'timeout', '60s')
  const body = {
    ...fullsyncOf(input),
    ...optional('identity', input.option('identity')),
    ...optional('cause', input.option('cause')),
  }
  const nodes = await chosenNodes(context, input)
  const module = await chosenModule(context, input.option('module'))
  const width = Math.max(0, ...(nodes ?? []).map((node) => node.length))
  const give = (node: string | undefined): Promise<Result | undefined> => {
    const label = node === undefined ? '' : `${node.padEnd(width)}  `
    const order: Order = { module, node, command, timeoutMs, label }
    return giveOne(context, order, body, input.flag('no-wait'))
  }
  if (nodes === undefined) return tellOne(context, command, module, await give(undefined))
  // In parallel: `stop` of both nodes one after the other would make the second one take over in between.
  const results = await Promise.allSettled(nodes.map(give))
  const codes = results.map((result, index) => {
    const label = (nodes[index] ?? '').padEnd(width)
    return tellNode(context, label, command, result)
  })
  return Math.max(...codes)
}

async function giveOne(
  context: Context,
  order: Order,
  body: object,
  returnWhenAccepted: boolean,
): Promise<Result | undefined> {
  const path = `/modules/${encodeURIComponent(order.module)}/commands/${order.command}`
  const give = async () => {
    await context.client.ask('POST', path, { body, node: order.node })
  }
  if (!returnWhenAccepted) return follow(context, order, give)
  await give()
  return undefined
}

function tellOne(
  context: Context,
  command: OperatorCommand,
  module: string,
  result: Result | undefined,
): number {
  const { terminal } = context
  terminal.out(`${module}  ${sentence(context, command, result)}`)
  const hint = result?.state?.hint
  if (hint !== undefined) terminal.out(`  next: ${hint}`)
  return isGood(result) ? exitCode.done : exitCode.refused
}

function tellNode(
  context: Context,
  label: string,
  command: OperatorCommand,
  result: PromiseSettledResult<Result | undefined>,
): number {
  const { terminal } = context
  if (result.status === 'fulfilled') {
    terminal.out(`${label}  ${sentence(context, command, result.value)}`)
    return isGood(result.value) ? exitCode.done : exitCode.refused
  }
  const error: unknown = result.reason
  if (!(error instanceof HoldfastError)) throw error
  const next = error.hint === undefined ? '' : `; next: ${error.hint}`
  terminal.out(
    `${label}  ${terminal.colour('red', 'failed')}  ${error.message}  [${error.code}]${next}`,
  )
  return exitCode.refused
}

function sentence(context: Context, command: OperatorCommand, result: Result | undefined): string {
  const { terminal } = context
  if (result === undefined) return `${terminal.colour('green', 'accepted')}  ${command}`
  const { state, outcome } = result
  const now =
    state === undefined ? 'no state' : terminal.colour(stateColour(state), stateText(state))
  if (outcome === 'reached') return `${terminal.colour('green', 'done')}  ${command}: ${now}`
  const cause = state === undefined ? '' : `: ${state.cause}`
  if (outcome === 'settled') {
    return `${terminal.colour('red', 'failed')}  ${command} led to ${now}${cause}`
  }
  return `${terminal.colour('orange', 'not finished')}  ${command}: still ${now}${cause}`
}

function isGood(result: Result | undefined): boolean {
  return result === undefined || result.outcome === 'reached'
}

function fullsyncOf(input: Input): { readonly fullsync?: true } {
  const word = input.argument('fullsync')
  if (word === undefined) return {}
  if (word === 'fullsync') return { fullsync: true }
  throw usageError(`"${word}" is not known here`, 'the only word allowed is fullsync')
}

function optional(name: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined ? {} : { [name]: value }
}
