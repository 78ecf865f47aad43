/**
 * Keeps every process that a job of the tests starts in one group, so that none outlives the job: also one that became
 * nobody's child, and one that even SIGKILL does not end because it waits for a FUSE mount that nobody serves.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Freezer, monotonicMs, signal } from '@holdfast/lab'

const connectionsDirectory = '/sys/fs/fuse/connections'
/** SIGKILL takes effect within milliseconds, or not before what the process waits for is aborted. */
const endMsMax = 3_000
const lookEveryMs = 50
/** A request that is answered at all is answered within this time. */
const answerMsMax = 1_000

export class Custody {
  readonly #group: Freezer
  #connectionsBefore: ReadonlySet<string> = new Set()

  /** Of several that one run has at once, each has its own name. */
  constructor(name: string) {
    this.#group = new Freezer(`holdfast-test-${process.pid}-${name.replace(/\W+/g, '-')}`)
  }

  async begin(): Promise<void> {
    this.#connectionsBefore = new Set(await connections())
    await this.#group.make()
  }

  /** The same command, which joins the group before it begins. */
  joining(command: readonly string[]): readonly string[] {
    const members = this.#group.membersFile
    if (members === undefined) return command
    return ['sh', '-c', 'echo $$ >"$0" && exec "$@"', members, ...command]
  }

  /** Ends what is left of the group; returns a line for each process that had to be ended. */
  async end(): Promise<readonly string[]> {
    const left = await Promise.all((await this.#living()).map(describe))
    if (!(await this.#killed())) {
      await this.#abortConnections()
      if (!(await this.#killed())) return [...left, 'not all of them could be ended']
    }
    return left
  }

  /** After the last end. A group that could not be emptied stays, and says so by its existence. */
  async close(): Promise<void> {
    if ((await this.#living()).length === 0) await this.#group.remove()
  }

  async #living(): Promise<readonly number[]> {
    return (await this.#group.members()) ?? []
  }

  async #killed(): Promise<boolean> {
    const untilMs = monotonicMs() + endMsMax
    for (;;) {
      const living = await this.#living()
      if (living.length === 0) return true
      if (monotonicMs() > untilMs) return false
      // Again each time: what is killed may have begun another process a moment before.
      for (const pid of living) signal(pid, 'SIGKILL')
      await delay(lookEveryMs)
    }
  }

  /** Of those that began during this job, that are mounted where our processes are, and that answer nobody. */
  async #abortConnections(): Promise<void> {
    const mounted = new Set<string>()
    for (const pid of await this.#living()) for (const id of await mountedFor(pid)) mounted.add(id)
    for (const id of mounted) {
      if (this.#connectionsBefore.has(id) || !(await answersNobody(id))) continue
      await writeFile(join(connectionsDirectory, id, 'abort'), '1')
    }
  }
}

async function connections(): Promise<readonly string[]> {
  return existsSync(connectionsDirectory) ? await readdir(connectionsDirectory) : []
}

async function answersNobody(id: string): Promise<boolean> {
  if (!(await hasWaiting(id))) return false
  await delay(answerMsMax)
  return await hasWaiting(id)
}

async function hasWaiting(id: string): Promise<boolean> {
  return Number(await textOfGone(join(connectionsDirectory, id, 'waiting'))) > 0
}

/** Connections of Holdfast's mounts that the process sees. A connection has the number of its file system's device. */
async function mountedFor(pid: number): Promise<readonly string[]> {
  const lines = (await textOfGone(`/proc/${pid}/mountinfo`)).split('\n')
  return lines
    .filter((line) => line.includes(' - fuse.holdfast '))
    .map((line) => line.split(' ')[2]?.split(':')[1] ?? '')
    .filter((id) => id !== '')
}

/** Its name, not its command line: to read that can wait for ever when the process hangs in an exec. */
async function describe(pid: number): Promise<string> {
  return `${pid} ${(await textOfGone(`/proc/${pid}/comm`)).trim()}`
}

/** Empty when the process or the connection ended meanwhile. */
async function textOfGone(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(String(code))) return ''
    throw thrown
  }
}
