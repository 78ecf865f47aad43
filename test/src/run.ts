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

/** What runs at once: as many as a small machine has cores. The lane of the unit tests helps with the labs when they are done. */
const lanes: readonly (readonly Kind[])[] = [
  ['chosen', 'unit', 'end to end'],
  ['end to end', 'unit'],
]

/**
 * Labs wait most of the time: one more lane takes a lab while the processors have room for it. On a busy or slow machine it
 * would make tests late that wait for something in a bounded time, as a fourth one does.
 */
const idleShareMin = 0.5
const idleForMs = 10_000

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
  const helping = async (): Promise<void> => {
    do await untilThereIsRoom(waiting)
    while (await runNext(['end to end']))
  }
  await Promise.all([...always, helping()])
  return done
}

/** Settles when the processors had room lately, or nothing waits any more. */
async function untilThereIsRoom(waiting: readonly Job[]): Promise<void> {
  for (let share = 0; share < idleShareMin && waiting.length > 0;) {
    const before = usage()
    await delay(idleForMs)
    share = idleShare(before, usage())
  }
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
