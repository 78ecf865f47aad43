/** Stops and continues a whole host at once, with the freezer of cgroup v1 or, where that is missing, of cgroup v2. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from './command.js'
import { stateOf } from './processes.js'
import { until } from './wait.js'

const version1 = '/sys/fs/cgroup/freezer'
const version2 = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']

type Kind = 'v1' | 'v2'

export class Freezer {
  readonly #directory: string | undefined
  readonly #kind: Kind

  constructor(name: string) {
    const v2 = version2.find((root) => existsSync(join(root, 'cgroup.procs')))
    this.#kind = existsSync(version1) ? 'v1' : 'v2'
    const root = this.#kind === 'v1' ? version1 : v2
    this.#directory = root === undefined ? undefined : join(root, name)
  }

  /** Makes the group. On a machine without a freezer nothing happens until somebody asks to freeze. */
  async make(): Promise<void> {
    if (this.#directory !== undefined) await mkdir(this.#directory, { recursive: true })
  }

  /** A file that takes the id of a process which is to belong to the group, when there is a group. */
  get membersFile(): string | undefined {
    return this.#directory === undefined ? undefined : join(this.#directory, 'cgroup.procs')
  }

  async freeze(): Promise<void> {
    await this.#turn('FROZEN', '1')
  }

  /** Nothing happens when there is no group: then nothing is frozen. */
  async thaw(): Promise<void> {
    if (this.#directory === undefined || !existsSync(this.#directory)) return
    await this.#turn('THAWED', '0')
  }

  /** Process ids as this machine sees them; undefined: there is no group that could tell. */
  async members(): Promise<readonly number[] | undefined> {
    const file = this.membersFile
    if (file === undefined || !existsSync(file)) return undefined
    return (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(Number)
  }

  /** Removes the group; its processes must have ended. */
  async remove(): Promise<void> {
    const directory = this.#directory
    if (directory === undefined || !existsSync(directory)) return
    await until(
      `removal of ${directory}`,
      async () => {
        try {
          await rmdir(directory)
          return true
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code
          if (code === 'ENOENT') return true
          if (code === 'EBUSY') return undefined
          throw error
        }
      },
      { timeoutMs: 30_000 },
    )
  }

  async #turn(state: 'FROZEN' | 'THAWED', frozen: '0' | '1'): Promise<void> {
    const directory = this.#directory
    if (directory === undefined) throw new LabError('this machine has no freezer cgroup')
    if (this.#kind === 'v1') {
      const file = join(directory, 'freezer.state')
      await until(
        `${directory} is ${state}`,
        async () => {
          // Writing again helps the kernel to catch processes that were just forked.
          await writeFile(file, state)
          if ((await readFile(file, 'utf8')).trim() === state) return true
          return state === 'FROZEN' && (await this.#standsStill(directory)) ? true : undefined
        },
        { timeoutMs: 30_000 },
      )
      return
    }
    await writeFile(join(directory, 'cgroup.freeze'), frozen)
    const events = join(directory, 'cgroup.events')
    await until(
      `${directory} is ${state}`,
      async () =>
        (await readFile(events, 'utf8')).includes(`frozen ${frozen}`) ? true : undefined,
      { timeoutMs: 30_000 },
    )
  }

  /**
   * A thread that waits for a frozen file system can't be frozen itself, and the kernel says FREEZING for ever. It does
   * nothing either: like the frozen ones it is in state D.
   */
  async #standsStill(directory: string): Promise<boolean> {
    const threads = (await readFile(join(directory, 'tasks'), 'utf8')).split('\n').filter(Boolean)
    const states = await Promise.all(threads.map((thread) => stateOf(Number(thread))))
    return states.every((state) => state === undefined || 'DZX'.includes(state))
  }
}
