/** Many histories: in this process, or spread over worker processes; a sweep that was interrupted can go on later. */
import { fork } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Coverage } from './reached.js'
import { hasFailed, type SimMachine } from './machine.js'

export interface Tally {
  histories: number
  events: number
  violations: number
  unhealed: number
  counted: Record<string, number>
  longest: Record<string, number>
  /** The first failing seeds. */
  failing: number[]
  coverage: Record<string, number>
}

export interface Range {
  readonly from: number
  readonly count: number
  readonly profile: string | undefined
}

/** What a worker process is asked for. */
export interface Errand extends Range {
  readonly machine: string
}

const failingMax = 20
export const chunk = 500

export function emptyTally(): Tally {
  return {
    histories: 0,
    events: 0,
    violations: 0,
    unhealed: 0,
    counted: {},
    longest: {},
    failing: [],
    coverage: {},
  }
}

export async function sweep(machine: SimMachine, range: Range): Promise<Tally> {
  const { from, count, profile } = range
  const tally = emptyTally()
  const coverage = new Coverage()
  for (let seed = from; seed < from + count; seed += 1) {
    const ran = await machine.run({ seed, coverage, profile })
    tally.histories += 1
    tally.events += ran.events
    tally.counted = joined(tally.counted, ran.counted, (one, other) => one + other)
    tally.longest = joined(tally.longest, ran.longest, Math.max)
    if (ran.violation !== undefined) tally.violations += 1
    if (ran.unhealed !== undefined) tally.unhealed += 1
    if (hasFailed(ran) && tally.failing.length < failingMax) tally.failing.push(seed)
  }
  return { ...tally, coverage: coverage.counts() }
}

export function add(one: Tally, other: Tally): Tally {
  const coverage = new Coverage()
  coverage.add(one.coverage)
  coverage.add(other.coverage)
  return {
    histories: one.histories + other.histories,
    events: one.events + other.events,
    violations: one.violations + other.violations,
    unhealed: one.unhealed + other.unhealed,
    counted: joined(one.counted, other.counted, (mine, theirs) => mine + theirs),
    longest: joined(one.longest, other.longest, Math.max),
    failing: [...one.failing, ...other.failing].sort((a, b) => a - b).slice(0, failingMax),
    coverage: coverage.counts(),
  }
}

function joined(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
  join: (mine: number, theirs: number) => number,
): Record<string, number> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.map((name) => [name, join(one[name] ?? 0, other[name] ?? 0)]))
}

/** What a sweep has done so far, to go on with: only the same sweep of the same commit. */
interface Progress {
  readonly key: string
  done: number[]
  tally: Tally
}

export interface SweepOptions extends Range {
  readonly machine: SimMachine
  readonly jobs: number
  /** Where the progress is kept, if at all. */
  readonly resume: string | undefined
  readonly commit: string
  /** What was done before. */
  onResume(tally: Tally): void
  onProgress(tally: Tally): void
}

/** Spreads chunks of seeds over processes. Rejects when a worker dies. */
export async function sweepInParallel(options: SweepOptions): Promise<Tally> {
  const { from, count, profile, jobs, resume } = options
  const machine = options.machine.name
  const key = JSON.stringify([options.commit, machine, from, count, profile ?? ''])
  const progress = readProgress(resume, key)
  const done = new Set(progress.done)
  options.onResume(progress.tally)
  const chunks = Array.from({ length: Math.ceil(count / chunk) }, (_, index) => index)
  const open = chunks.filter((index) => !done.has(index))
  const work = async (): Promise<void> => {
    const worker = fork(fileURLToPath(new URL('worker.js', import.meta.url)))
    const failed = new Promise<never>((_, reject) => {
      worker.once('exit', (code) => reject(new Error(`a worker ended with ${String(code)}`)))
    })
    // Awaited together with each answer below; its rejection after the last one is not of interest.
    failed.catch(() => undefined)
    for (let index = open.shift(); index !== undefined; index = open.shift()) {
      const first = from + index * chunk
      const size = Math.min(chunk, from + count - first)
      const errand: Errand = { machine, from: first, count: size, profile }
      const answer = new Promise<Tally>((resolve) => {
        worker.once('message', (tally: Tally) => resolve(tally))
      })
      worker.send(errand)
      const tally = await Promise.race([answer, failed])
      progress.tally = add(progress.tally, tally)
      progress.done.push(index)
      writeProgress(resume, progress)
      options.onProgress(progress.tally)
    }
    worker.disconnect()
  }
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, work))
  return progress.tally
}

function readProgress(path: string | undefined, key: string): Progress {
  const fresh: Progress = { key, done: [], tally: emptyTally() }
  if (path === undefined) return fresh
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return fresh
    throw error
  }
  const kept = JSON.parse(text) as Progress // Written by the same program; the key says by which sweep.
  return kept.key === key ? kept : fresh
}

function writeProgress(path: string | undefined, progress: Progress): void {
  if (path === undefined) return
  writeFileSync(`${path}.new`, JSON.stringify(progress))
  renameSync(`${path}.new`, path)
}
