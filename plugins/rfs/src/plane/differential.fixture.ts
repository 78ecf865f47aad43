/**
 * For tests: several programs do random operations at once, on a mount and on a plain directory. Each has a directory of its
 * own, where its results can be foretold, and all append to one file. What they are told, their trees and the follower's must
 * agree.
 */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Task } from './battery.fixture.js'
import { differences, join2, pair, type TestPlane } from './plane.fixture.js'
import { shrink } from './shrinking.fixture.js'

const BATTERY = new URL('./battery.fixture.js', import.meta.url).pathname
const exec = promisify(execFile)

/** In each of the phases, what each program does; the next phase begins when all have ended. */
export interface Plan {
  readonly encryption: boolean
  readonly phases: readonly (readonly Task[])[]
}

const PROGRAMS = 3
const OPERATIONS = 300
/** More than a tick of the clock that files get their times from. */
const STILL_MS = 15
const STILL_EVERY_MS = 60
/** In the order of the phases; each program begins with another one. */
const USERS = [0, 1000, 1234, 0]

export function planOf(seed: number, encryption: boolean): Plan {
  const operations = Array.from({ length: OPERATIONS }, (_, number) => number)
  const phases = USERS.map((_, phase) =>
    Array.from({ length: PROGRAMS }, (_, program) => ({
      name: `p${program}`,
      user: USERS[(phase + program) % USERS.length] ?? 0,
      seed: (seed * 10 + phase) * PROGRAMS + program,
      operations,
    })),
  )
  return { encryption, phases }
}

/** Undefined: everything agrees. */
export async function disagreementOf(plan: Plan): Promise<string | undefined> {
  const plain = mkdtempSync('/var/tmp/hfrfs-plain-')
  let found: string | undefined
  try {
    const { encryption } = plan
    const run = async (server: TestPlane, follower: TestPlane): Promise<void> => {
      await join2(server, follower)
      found = await compared(plan, { server, follower, plain })
    }
    await pair(run, { encryption })
  } finally {
    rmSync(plain, { recursive: true, force: true })
  }
  return found
}

/** The shortest plan that was found to disagree, within so many tries, as text for `HOLDFAST_DIFF_PLAN`. */
export async function shortened(plan: Plan, triesMax: number): Promise<string> {
  const all = plan.phases.flatMap((tasks, phase) =>
    tasks.flatMap(({ name, operations }) => operations.map((number) => ({ phase, name, number }))),
  )
  const planWith = (items: typeof all): Plan => ({
    ...plan,
    phases: plan.phases.map((tasks, phase) =>
      tasks.map((task) => {
        const mine = items.filter((one) => one.phase === phase && one.name === task.name)
        return { ...task, operations: mine.map(({ number }) => number) }
      }),
    ),
  })
  const fails = async (items: readonly (typeof all)[number][]): Promise<boolean> =>
    (await disagreementOf(planWith([...items]))) !== undefined
  return JSON.stringify(planWith([...(await shrink(all, fails, triesMax))]))
}

interface Places {
  readonly server: TestPlane
  readonly follower: TestPlane
  readonly plain: string
}

async function compared(plan: Plan, places: Places): Promise<string | undefined> {
  const { server, follower, plain } = places
  const names = (plan.phases[0] ?? []).map(({ name }) => name)
  chmodSync(server.base, 0o755)
  chmodSync(plain, 0o777)
  for (const directory of [server.directory, plain]) prepare(directory, names)
  let lost: string | undefined
  // Else the programs would wait for ever.
  server.onEvent = ({ event, cause }) => {
    if (event !== 'linkLost') return
    lost = String(cause)
    void server.must('detach', { epoch: 2, generation: 'g2' })
  }
  for (const [phase, tasks] of plan.phases.entries()) {
    const mounted = await stuttering(follower, () =>
      Promise.all(tasks.map((task) => battery(server.directory, task))),
    )
    const local = await Promise.all(tasks.map((task) => battery(plain, task)))
    for (const [index, { name }] of tasks.entries()) {
      const differs = firstDifference(mounted[index] ?? [], local[index] ?? [])
      if (differs !== undefined) return `phase ${phase}, ${name}: ${differs}`
    }
    if (lost !== undefined) return `phase ${phase}: the link was lost: ${lost}`
    await server.must('drain')
    const differs =
      (await differences(server.directory, follower.directory)) || (await asLocal(names, places))
    if (differs !== '') return `phase ${phase}: ${differs}`
  }
  return undefined
}

/** The follower stands still now and then: a time that it is not told is its own clock's, and then another one. */
async function stuttering<T>(follower: TestPlane, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    follower.pause()
    setTimeout(() => follower.resume(), STILL_MS)
  }, STILL_EVERY_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** Also those that follow from the plan of another run may miss some of the programs. */
function prepare(directory: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(join(directory, name))
    chmodSync(join(directory, name), 0o777)
  }
  writeFileSync(join(directory, 'shared'), '')
  chmodSync(join(directory, 'shared'), 0o666)
}

async function battery(directory: string, task: Task): Promise<string[]> {
  const args = [BATTERY, join(directory, task.name), JSON.stringify(task)]
  const { stdout } = await exec(process.execPath, args, {
    maxBuffer: 1e8,
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  return stdout.split('\n')
}

function firstDifference(mounted: string[], local: string[]): string | undefined {
  const index = local.findIndex((line, at) => line !== mounted[at])
  if (index < 0 && mounted.length === local.length) return undefined
  return `the mount says "${mounted[index]}", a local directory "${local[index]}"`
}

/** The trees of each program, and the lines that all have appended, in whatever order. */
async function asLocal(names: readonly string[], { server, plain }: Places): Promise<string> {
  for (const name of names) {
    const trees = [join(server.directory, name), join(plain, name)] as const
    const differs = await differences(...trees, '--no-mtimes')
    if (differs !== '') return `${name}, beside a local directory: ${differs}`
  }
  const lines = (directory: string): string =>
    readFileSync(join(directory, 'shared'), 'latin1').split('\n').sort().join('\n')
  return lines(server.directory) === lines(plain) ? '' : 'lines that were appended are not there'
}
