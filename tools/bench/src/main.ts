#!/usr/bin/env node
/** `npm run bench -- rfs|checkers|resync|idle`: two nodes on this machine, and what they can do or cost. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Lab, LabError } from '@holdfast/lab'
import { checkers } from './checkers/command.js'
import { diskTitles, mountDisk } from './disks.js'
import { idle } from './idle/command.js'
import { type BenchOptions, parseCommand, usage } from './options.js'
import { fio, glusterfs, postgresql, requirePackages } from './packages.js'
import { type Failure, jsonLine, table } from './report.js'
import { Interruption } from './interruption.js'
import { roundTripUs } from './round-trip.js'
import { resync } from './resync/command.js'
import { type Row, runWorkload } from './rounds.js'
import { glusterfsSide } from './sides/glusterfs.js'
import { holdfastSide } from './sides/holdfast.js'
import { nativeSide } from './sides/native.js'
import type { Side } from './sides/side.js'
import { chosenWorkloads, workloads } from './workloads/index.js'
import type { Workload } from './workloads/workload.js'

const logLinesMax = 30

/** Progress is for people; standard output has only the result. */
function tell(line: string): void {
  process.stderr.write(`bench: ${line}\n`)
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === 'checkers') return checkers(args.slice(1), tell)
  if (args[0] === 'resync') return resync(args.slice(1), tell)
  if (args[0] === 'idle') return idle(args.slice(1), tell)
  const command = parseCommand(args)
  switch (command.kind) {
    case 'help':
      console.log(usage)
      return 0
    case 'list':
      for (const { name, title, unit } of workloads) console.log(`${name}  ${title}, ${unit}`)
      return 0
    case 'run':
      return bench(command.options)
  }
}

async function bench(options: BenchOptions): Promise<number> {
  const chosen = chosenWorkloads(options.only)
  const databases = chosen.some(({ unit }) => unit === 'tps') ? [postgresql] : []
  const peer = options.glusterfs ? [glusterfs] : []
  await requirePackages([fio, ...databases, ...peer], tell)
  tell(`lab: two nodes, ${diskTitles[options.disks]}`)
  const lab = await Lab.create({
    clients: [],
    disks: options.disks === 'plain' ? 'plain' : 'tmpfs',
  })
  const interruption = new Interruption(lab)
  try {
    const code = await benchIn(lab, chosen, options)
    if (code !== 0 && !interruption.happened) await tellLogs(lab)
    return code
  } catch (error) {
    if (error instanceof LabError && !interruption.happened) await tellLogs(lab)
    throw error
  } finally {
    await interruption.removeLab()
  }
}

/** The logs go away with the lab: what they said last is all that explains a failure. */
async function tellLogs(lab: Lab): Promise<void> {
  for (const node of lab.hosts()) {
    const file = node.logFile('holdfastd')
    if (!existsSync(file)) continue
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(-logLinesMax)
    for (const line of lines) tell(`${node.name}: ${line}`)
  }
}

async function benchIn(
  lab: Lab,
  chosen: readonly Workload[],
  options: BenchOptions,
): Promise<number> {
  const nodes = [lab.host('n1'), lab.host('n2')] as const
  for (const node of nodes) await mountDisk(node, options.disks)
  const [first, second] = nodes
  tell('starting Holdfast on both nodes')
  const sides: Side[] = [await nativeSide(first), await holdfastSide(lab, options)]
  if (options.glusterfs) {
    tell('starting GlusterFS, replica 2, on both nodes')
    sides.push(await glusterfsSide(lab))
  }
  const rows: Row[] = []
  const failures: Failure[] = []
  for (const workload of chosen) {
    const trip = await roundTripUs(first, second)
    tell(`TCP round trip between the nodes: ${trip.toFixed(1)} us`)
    const result = await tryWorkload(workload, sides, options)
    if ('error' in result) failures.push(result)
    else rows.push(result)
    if (options.json) {
      const stand = { ...options, roundTripUs: trip }
      console.log('error' in result ? JSON.stringify(result) : jsonLine(result, stand))
    }
    if ('error' in result && !(await allReplicate(sides))) break
  }
  if (!options.json && rows.length > 0) console.log(`\n${table(rows)}`)
  // After a failure the pair is not what it should be, and its failure to stop would say nothing new.
  if (failures.length > 0) return 1
  for (const side of sides) await side.end()
  if (options.nodes === '2') tell('the copies of n1 and n2 are identical')
  return 0
}

async function tryWorkload(
  workload: Workload,
  sides: readonly Side[],
  options: BenchOptions,
): Promise<Row | Failure> {
  try {
    return await runWorkload(workload, sides, options, tell)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    tell(`${workload.name} failed: ${error.message}`)
    return { workload: workload.name, error: error.message.split('\n')[0] ?? '' }
  }
}

/** When a side is broken, the workloads that are left would only fail as well. */
async function allReplicate(sides: readonly Side[]): Promise<boolean> {
  try {
    for (const side of sides) await side.check()
    return true
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return false
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  process.stderr.write(`bench: ${error.message}\n`)
  process.exitCode = 1
}
