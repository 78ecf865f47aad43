/** What idle costs, as lines of JSON and as a table. Pure. */
import { rounded } from '../statistics.js'
import type { Memory } from './processes.js'

export interface IdleProcess {
  readonly node: string
  /** `daemon`, `data plane`, `keeper`. */
  readonly role: string
  /** Of one processor. */
  readonly cpuPercent: number
  readonly sleepsPerSecond: number
  readonly memory: Memory
}

export interface IdleRow extends IdleProcess {
  /** `none`: no module on the node; `serving`: one is PRIM or SECOND; `added`: the difference, of all processes. */
  readonly module: 'none' | 'serving' | 'added'
}

const megabyte = 1_000_000

/** All processes without and with the module, and for each node what the module adds. */
export function moduleRows(
  alone: readonly IdleProcess[],
  serving: readonly IdleProcess[],
): readonly IdleRow[] {
  const nodes = [...new Set(serving.map(({ node }) => node))]
  return [
    ...alone.map((one) => ({ ...one, module: 'none' as const })),
    ...serving.map((one) => ({ ...one, module: 'serving' as const })),
    ...nodes.map((node) => added(node, alone, serving)),
  ]
}

function added(
  node: string,
  alone: readonly IdleProcess[],
  serving: readonly IdleProcess[],
): IdleRow {
  const growth = (of: (one: IdleProcess) => number): number => {
    const sum = (all: readonly IdleProcess[]): number =>
      all.filter((one) => one.node === node).reduce((total, one) => total + of(one), 0)
    return sum(serving) - sum(alone)
  }
  return {
    ...{ module: 'added', node, role: 'all' },
    cpuPercent: growth(({ cpuPercent }) => cpuPercent),
    sleepsPerSecond: growth(({ sleepsPerSecond }) => sleepsPerSecond),
    memory: {
      resident: growth(({ memory }) => memory.resident),
      own: growth(({ memory }) => memory.own),
    },
  }
}

export function idleLine({ memory, cpuPercent, sleepsPerSecond, ...row }: IdleRow): string {
  return JSON.stringify({
    ...row,
    cpuPercent: rounded(cpuPercent),
    sleepsPerSecond: rounded(sleepsPerSecond),
    ownMegabytes: rounded(memory.own / megabyte),
    residentMegabytes: rounded(memory.resident / megabyte),
  })
}

export function idleTable(rows: readonly IdleRow[]): string {
  const head = ['module', 'node', 'process', '% of a core', 'sleeps/s', 'own MB', 'resident MB']
  const cells = rows.map(({ module, node, role, cpuPercent, sleepsPerSecond, memory }) => [
    ...[module, node, role, cpuPercent.toFixed(3), sleepsPerSecond.toFixed(1)],
    ...[memory.own, memory.resident].map((bytes) => (bytes / megabyte).toFixed(1)),
  ])
  return [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n')
}
