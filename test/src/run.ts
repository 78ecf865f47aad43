/**
 * `npm test`: runs the unit tests of all packages and the end to end tests beside each other, names the slowest files, and
 * ends with one line that says how many passed. Arguments, if any, are patterns of compiled test files to run instead.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { removeLeftovers } from '@holdfast/lab'
import { idleShare, usage } from './idle.js'
import { type Done, type Place, runJob } from './job.js'
import { allJobs, type Job, type Kind } from './jobs.js'
import { Room } from './room.js'
import { slowest, sum, summary } from './tap.js'

const repository = fileURLToPath(new URL('../../', import.meta.url))

/**
 * What runs in any case: as many as a small machine has cores, and what gives way to them. The lane of the unit tests helps with the
 * labs when they are done.
 */
const lanes: readonly (readonly Kind[])[] = [
  ['chosen', 'unit', 'end to end'],
  ['end to end', 'unit'],
  ['computing'],
]

/**
 * Labs wait most of the time: so many more run at once while the processors have room for them. On a busy or slow machine they would
 * make tests late that wait for something in a bounded time; there none is begun.
 */
const moreLabsMax = 2
const idleShareMin = 0.4
const idleForMs = 5_000

const slowestShown = 15

async function main(patterns: readonly string[]): Promise<number> {
  const room = await Room.make()
  const place: Place = {
    repository,
    directory: room.directory,
    show: (lines) => {
      if (lines.length > 0) console.log(lines.join('\n'))
    },
  }
  const waiting: Job[] =
    patterns.length === 0
      ? [...(await allJobs(repository))]
      : [{ kind: 'chosen', name: 'chosen', files: patterns }]
  const done = await runAll(waiting, place)
  await removeLeftovers()
  await room.remove()
  const total = sum(done.map(({ count }) => count))
  console.log(slowest(new Map(done.flatMap(({ files }) => [...files])), slowestShown).join('\n'))
  console.log(summary(total))
  return total.failed === 0 ? 0 : 1
}

async function runAll(waiting: Job[], place: Place): Promise<readonly Done[]> {
  const interrupted = new AbortController()
  const interrupt = (): void => {
    waiting.length = 0
    interrupted.abort()
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const done: Done[] = []
  /** Whether there was one. */
  const runNext = async (kinds: readonly Kind[]): Promise<boolean> => {
    const job = take(waiting, kinds)
    if (job !== undefined) done.push(await runJob(job, place, interrupted.signal))
    return job !== undefined
  }
  const always = lanes.map(async (kinds) => {
    while (await runNext(kinds));
  })
  /** Looks again before each one, so that two never begin in the same room. */
  const helping = async (): Promise<void> => {
    const helped: Promise<unknown>[] = []
    let running = 0
    while (await findsRoom(waiting)) {
      if (running === moreLabsMax) continue
      running += 1
      helped.push(runNext(['end to end']).finally(() => (running -= 1)))
    }
    await Promise.all(helped)
  }
  await Promise.all([...always, helping()])
  return done
}

/** True when the processors had room lately; false when no lab waits any more. */
async function findsRoom(waiting: readonly Job[]): Promise<boolean> {
  while (waiting.some(({ kind }) => kind === 'end to end')) {
    const before = usage()
    await delay(idleForMs)
    if (idleShare(before, usage()) >= idleShareMin) return true
  }
  return false
}

/** The next job of the kind that the lane likes best. */
function take(waiting: Job[], kinds: readonly Kind[]): Job | undefined {
  for (const kind of kinds) {
    const index = waiting.findIndex((job) => job.kind === kind)
    if (index !== -1) return waiting.splice(index, 1)[0]
  }
  return undefined
}

process.exitCode = await main(process.argv.slice(2))
