/** Runs one workload on all sides, round by round in turn, and makes one row of figures of it. */
import { LabError } from '@holdfast/lab'
import { processorTimeUs } from './cpu.js'
import { settleDisk } from './disks.js'
import type { Side, SideName } from './sides/side.js'
import { median, orderOfRound, rounded } from './statistics.js'
import type { Measurement, Unit, Workload } from './workloads/workload.js'

/** Medians over the rounds. */
export interface SideFigures {
  readonly value: number
  readonly least: number
  readonly most: number
  readonly p50us: number
  readonly p99us: number
  /** User and system time of the processes that move the data, on both nodes, for one operation; undefined: there are none. */
  readonly cpuUsPerOperation: number | undefined
}

export interface Row {
  readonly workload: string
  readonly title: string
  readonly unit: Unit
  readonly rounds: number
  readonly sides: ReadonlyMap<SideName, SideFigures>
}

export interface RoundsOptions {
  readonly rounds: number
  readonly seconds: number
  readonly warmUp: boolean
}

interface Sample extends Measurement {
  readonly cpuUsPerOperation: number
}

type Samples = ReadonlyMap<SideName, readonly Sample[]>

/** Throws a LabError when the work fails on a side, or when a side stopped to replicate meanwhile. */
export async function runWorkload(
  workload: Workload,
  sides: readonly Side[],
  options: RoundsOptions,
  tell: (line: string) => void,
): Promise<Row> {
  let samples: Samples
  try {
    for (const side of sides) await workload.prepare(side)
    if (options.warmUp) for (const side of sides) await sample(workload, side, sides, 1)
    samples = await takeSamples(workload, sides, options, tell)
  } catch (error) {
    await cleanAfterFailure(workload, sides)
    throw error
  }
  for (const side of sides) await workload.clean(side)
  const { name, title, unit } = workload
  const figures = sides.map((side) => {
    return [side.name, figuresOf(samples.get(side.name) ?? [], side.name !== 'native')] as const
  })
  return { workload: name, title, unit, rounds: options.rounds, sides: new Map(figures) }
}

async function takeSamples(
  workload: Workload,
  sides: readonly Side[],
  options: RoundsOptions,
  tell: (line: string) => void,
): Promise<Samples> {
  const samples = new Map<SideName, Sample[]>(sides.map(({ name }) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const side of orderOfRound(sides, round)) {
      const one = await sample(workload, side, sides, options.seconds)
      samples.get(side.name)?.push(one)
      const figure = `${rounded(one.value)} ${workload.unit}`
      tell(`${workload.name}  round ${round + 1}  ${side.name}  ${figure}`)
    }
  }
  return samples
}

/** The first failure is the one to tell: a side that is broken can't be cleaned either. */
async function cleanAfterFailure(workload: Workload, sides: readonly Side[]): Promise<void> {
  for (const side of sides) {
    try {
      await workload.clean(side)
    } catch (error) {
      if (!(error instanceof LabError)) throw error
    }
  }
}

async function sample(
  workload: Workload,
  side: Side,
  sides: readonly Side[],
  seconds: number,
): Promise<Sample> {
  await workload.beforeRound(side)
  for (const node of nodesOf(sides)) await settleDisk(node)
  const before = await dataPlaneTimeUs(side)
  const measurement = await workload.measure(side, seconds)
  const cpuUs = (await dataPlaneTimeUs(side)) - before
  await side.check()
  if (![measurement.value, measurement.p50us, measurement.p99us].every((one) => one > 0)) {
    throw new LabError(`${workload.name} on ${side.name} gave no figure`)
  }
  return { ...measurement, cpuUsPerOperation: cpuUs / measurement.operations }
}

async function dataPlaneTimeUs(side: Side): Promise<number> {
  let sum = 0
  for (const { node } of side.copies) {
    sum += await processorTimeUs(node, (commandLine) => side.movesData(commandLine))
  }
  return sum
}

function nodesOf(sides: readonly Side[]) {
  return new Set(sides.flatMap(({ copies }) => copies.map(({ node }) => node)))
}

function figuresOf(samples: readonly Sample[], hasDataPlane: boolean): SideFigures {
  const values = samples.map(({ value }) => value)
  return {
    value: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
    p50us: median(samples.map(({ p50us }) => p50us)),
    p99us: median(samples.map(({ p99us }) => p99us)),
    cpuUsPerOperation: hasDataPlane
      ? median(samples.map(({ cpuUsPerOperation }) => cpuUsPerOperation))
      : undefined,
  }
}
