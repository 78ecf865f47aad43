/** Finds and ends the processes of a network namespace: what a lab started can be found by where it runs, not by its name. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { LabError } from './command.js'
import { until } from './wait.js'

/** Process ids (as this process sees them) in a named network namespace; empty when it does not exist. */
export async function processesIn(namespace: string): Promise<readonly number[]> {
  const inode = await inodeOf(`/run/netns/${namespace}`)
  if (inode === undefined) return []
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    if ((await linkOf(`/proc/${entry}/ns/net`)) === `net:[${inode}]`) found.push(Number(entry))
  }
  return found
}

/** Those processes whose command line matches. */
export async function processesLike(
  among: readonly number[],
  commandLine: RegExp,
): Promise<readonly number[]> {
  const found: number[] = []
  for (const pid of among) {
    if (commandLine.test(await commandLineOf(pid))) found.push(pid)
  }
  return found
}

/** Kills everything that `find` finds, and returns when there is nothing left. */
export async function killAll(
  place: string,
  find: () => Promise<readonly number[]>,
): Promise<void> {
  let left: readonly number[] = []
  try {
    await until(
      `end of all processes in ${place}`,
      async () => {
        left = await find()
        for (const pid of left) signal(pid, 'SIGKILL')
        return left.length === 0 ? true : undefined
      },
      { timeoutMs: 60_000 },
    )
  } catch (cause) {
    if (!(cause instanceof LabError)) throw cause
    throw new LabError(`these processes of ${place} do not end: ${left.join(', ')}`, { cause })
  }
}

/** Sends a signal; a process that is gone already needs none. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** When the process started, in ticks since boot: with the id it names a process for ever. Undefined: it is gone. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  // Field 22 of the whole line.
  return (await statusFields(pid))?.[19]
}

/** `R`, `S`, `D` … of a process or thread. Undefined: it is gone. */
export async function stateOf(pid: number): Promise<string | undefined> {
  return (await statusFields(pid))?.[0]
}

/** What follows the name in `/proc/PID/stat`. */
async function statusFields(pid: number): Promise<readonly string[] | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; what follows it does not.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Arguments with spaces between them; empty for a process that is gone. */
async function commandLineOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()
  } catch (error) {
    if (isGone(error)) return ''
    throw error
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

async function linkOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES'
}
