/** `npm run bench -- idle`: what the daemon costs when nothing happens, and what a module that nobody uses adds. */
import { type Lab, LabError, Pair, parseArguments, type Product } from '@holdfast/lab'
import { Interruption } from '../interruption.js'
import { wholeNumber } from '../options.js'
import { type Memory, memoryOf, type Usage, usageOf } from './processes.js'
import { type IdleProcess, type IdleRow, idleLine, idleTable, moduleRows } from './words.js'

export const idleUsage = `npm run bench -- idle [--json] [--seconds 30] [--settle 45]

  Two nodes, first without a module, then with the ledger as PRIM and SECOND and no client: processor time and memory
  of each process, and what the module adds on each node. Heartbeats and time-outs have their defaults.

  --json      one line of JSON a row on standard output
  --seconds   length of each of the two measurements
  --settle    seconds before each of them, in which code is compiled and the journal's first window is closed`

/** Who counts on a node, by command line; the application and what the lab itself runs do not. */
const roles = [
  ['daemon', /^\S*node \S*\/core\/dist\/main\.js/],
  ['data plane', /^\S*node .*\/rfs\/dist\/plane\/main\.js/],
  ['keeper', /^sleep infinity$/],
] as const

interface Found {
  readonly node: string
  readonly role: string
  readonly pid: number
  readonly before: Usage
}

export async function idle(args: readonly string[], tell: (line: string) => void): Promise<number> {
  const options = optionsOf(args)
  if (options === undefined) {
    console.log(idleUsage)
    return 0
  }
  const lab = await Pair.lab({})
  const interruption = new Interruption(lab)
  try {
    const rows = await measured(lab, options, tell)
    console.log(options.json ? rows.map(idleLine).join('\n') : idleTable(rows))
    return 0
  } finally {
    await interruption.removeLab()
  }
}

async function measured(
  lab: Lab,
  options: { readonly seconds: number; readonly settle: number },
  tell: (line: string) => void,
): Promise<readonly IdleRow[]> {
  const pair = new Pair(lab)
  tell('starting Holdfast on two nodes')
  await pair.form({ module: false })
  tell(`${String(options.seconds)} s without a module`)
  const alone = await measure(pair.nodes, options)
  await pair.install({ timeout: '5000ms' })
  await pair.order(pair.n1, 'prim')
  await pair.is(pair.n1, 'ALONE Ready')
  await pair.order(pair.n2, 'start')
  await pair.is(pair.n2, 'SECOND Ready')
  await pair.is(pair.n1, 'PRIM Ready')
  tell(`${String(options.seconds)} s with a module`)
  const serving = await measure(pair.nodes, options)
  await pair.is(pair.n1, 'PRIM Ready')
  await pair.is(pair.n2, 'SECOND Ready')
  return moduleRows(alone, serving)
}

async function measure(
  nodes: readonly Product[],
  options: { readonly seconds: number; readonly settle: number },
): Promise<readonly IdleProcess[]> {
  await pause(options.settle)
  const found: Found[] = []
  for (const { host } of nodes) {
    for (const [role, commandLine] of roles) {
      for (const pid of await host.processes(commandLine)) {
        found.push({ node: host.name, role, pid, before: await mustUse(pid) })
      }
    }
  }
  const fromMs = performance.now()
  await pause(options.seconds)
  const seconds = (performance.now() - fromMs) / 1_000
  const processes: IdleProcess[] = []
  for (const { node, role, pid, before } of found) {
    const after = await mustUse(pid)
    processes.push({
      ...{ node, role },
      cpuPercent: (after.cpuUs - before.cpuUs) / seconds / 10_000,
      sleepsPerSecond: (after.sleeps - before.sleeps) / seconds,
      memory: await memoryBeside(found, node, pid),
    })
  }
  return processes
}

function memoryBeside(found: readonly Found[], node: string, pid: number): Promise<Memory> {
  const daemon = found.find((one) => one.node === node && one.role === 'daemon')
  return memoryOf(pid, daemon?.pid ?? pid)
}

async function mustUse(pid: number): Promise<Usage> {
  const usage = await usageOf(pid)
  if (usage === undefined) throw new LabError(`process ${String(pid)} ended: nothing was measured`)
  return usage
}

/** A process of its own would be one more that wakes the machine; a timer of this one is enough. */
function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
}

function optionsOf(args: readonly string[]) {
  const { values } = parse(args)
  if (values.help === true) return undefined
  return {
    json: values.json === true,
    seconds: wholeNumber('seconds', values.seconds, 30, 3_600),
    settle: wholeNumber('settle', values.settle, 45, 600),
  }
}

function parse(args: readonly string[]) {
  return parseArguments(
    {
      args: [...args],
      options: {
        json: { type: 'boolean' },
        seconds: { type: 'string' },
        settle: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    },
    idleUsage,
  )
}
