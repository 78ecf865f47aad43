/** `holdfast rfs diff`: how much the next resynchronisation will be, before it begins. */
import { fileURLToPath } from 'node:url'
import { type Command, type CommandResult, type Exec, HoldfastError } from '@holdfast/sdk'
import type { PlaneStatus } from '../driver/protocol.js'
import { parseObject } from '../driver/wire.js'
import { estimateOf, linesOf, summaryOf } from './estimate.js'
import type { Place } from './read.js'

const timeoutMs = 120_000
const program = fileURLToPath(new URL('./main.js', import.meta.url))

export interface EstimateWorld {
  readonly exec: Exec
  readonly status: () => Promise<PlaneStatus | undefined>
  readonly place: Omit<Place, 'bootId' | 'pid'>
  /** `reiallowedbw`; undefined: no limit. */
  readonly bytesPerSecondMost: number | undefined
}

export function estimateCommands(world: EstimateWorld): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs diff',
      {
        summary:
          'how much the next resynchronisation will compare, by the journal of this node and the times of its files',
        parameters: { type: 'object', additionalProperties: false, properties: {} },
        positional: [],
        run: (_, signal) => diff(world, signal),
      },
    ],
  ])
}

async function diff(world: EstimateWorld, signal: AbortSignal): Promise<CommandResult> {
  const status = await world.status()
  if (status?.link === 'live') {
    const lines = ['both nodes are equal: every change is replicated as it is made']
    return { ok: true, lines, data: { live: true } }
  }
  const pid = status === undefined || status.role === 'idle' ? undefined : status.pid
  const words = [program, JSON.stringify({ ...world.place, pid })]
  const { code, stdout, stderr } = await world.exec.run(process.execPath, words, {
    timeoutMs,
    signal,
  })
  const estimate = estimateOf(code === 0 ? parseObject(stdout) : undefined)
  if (estimate === undefined) {
    throw new HoldfastError('E_RFS_ESTIMATE', `the journal could not be read: ${stderr.trim()}`)
  }
  const summary = summaryOf(estimate, world.bytesPerSecondMost)
  return { ok: true, lines: linesOf(summary), data: { live: false, ...summary } }
}
