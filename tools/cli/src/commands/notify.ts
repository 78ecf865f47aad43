/** `holdfast notify`: do notices of the nodes get through? */
import { exitCode } from '../exit.js'
import { instant } from '../output/times.js'
import { type Row, writeTable } from '../output/table.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import { chosenNodes, nodesOption } from './options.js'

interface NotifiersAnswer {
  readonly notifiers: readonly {
    readonly name: string
    readonly waiting: number
    /** 0: nothing since the daemon started. */
    readonly deliveredMs: number
    readonly failure: string
  }[]
}

interface TestAnswer {
  readonly notifiers: readonly {
    readonly name: string
    readonly ok: boolean
    readonly reason: string
  }[]
}

export const notifyCommand: CommandSpec = {
  name: 'notify',
  summary: 'notices by mail and web hook: do they get through?',
  examples: ['holdfast notify test -H "*"', 'holdfast notify list'],
  commands: [
    {
      name: 'test',
      summary: 'send a test message through each notifier now; fails when one does not take it',
      options: [nodesOption],
      examples: ['holdfast notify test', 'holdfast notify test -H "*"'],
      run: test,
    },
    {
      name: 'list',
      summary: 'the notifiers that are set up, what waits, and what went wrong last',
      options: [nodesOption],
      examples: ['holdfast notify list -H "*"'],
      run: list,
    },
  ],
}

async function test(context: Context, input: Input): Promise<number> {
  const rows: Row[] = []
  let code: number = exitCode.done
  for (const node of (await chosenNodes(context, input)) ?? [undefined]) {
    const answer = await context.client.ask<TestAnswer>('POST', '/notify/test', { node })
    for (const { name, ok, reason } of answer.notifiers) {
      if (!ok) code = exitCode.refused
      const result = ok
        ? ({ text: 'sent', colour: 'green' } as const)
        : ({ text: `not sent: ${reason}`, colour: 'red' } as const)
      rows.push([{ text: node ?? 'this node' }, { text: name }, result])
    }
  }
  writeTable(context.terminal, ['NODE', 'NOTIFIER', 'RESULT'], rows)
  return code
}

async function list(context: Context, input: Input): Promise<number> {
  const rows: Row[] = []
  for (const node of (await chosenNodes(context, input)) ?? [undefined]) {
    const { notifiers } = await context.client.get<NotifiersAnswer>('/notify', { node })
    for (const { name, waiting, deliveredMs, failure } of notifiers) {
      const last = deliveredMs === 0 ? '-' : instant(deliveredMs)
      const cells = [node ?? 'this node', name, String(waiting), last, failure || 'fine']
      rows.push(cells.map((text) => ({ text })))
    }
  }
  writeTable(context.terminal, ['NODE', 'NOTIFIER', 'WAITING', 'LAST SENT', 'STATE'], rows)
  return exitCode.done
}
