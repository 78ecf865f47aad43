/** Processes of scripts and of what they started, as /proc shows them. */
import { readdir, readFile } from 'node:fs/promises'
import { errnoOf } from './errno.js'

/** A pid alone may mean another process after a while; with the start time it can't. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTicks: string
}

/** Undefined: there is no such process, or it is a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const text = (await readProc(`/proc/${String(pid)}/stat`))?.toString('latin1')
  if (text === undefined) return undefined
  // The name in parentheses may hold blanks and parentheses: what follows the last one is regular.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const startTicks = fields[19]
  return startTicks === undefined || fields[0] === 'Z' ? undefined : { pid, startTicks }
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTicks === identity.startTicks
}

/** Processes whose environment at their start held `line`, this one excepted. */
export async function findMarked(line: string): Promise<readonly ProcessIdentity[]> {
  const wanted = Buffer.from(`\0${line}\0`)
  const found: ProcessIdentity[] = []
  for (const name of await readdir('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const environment = await readProc(`/proc/${name}/environ`)
    if (environment === undefined || environment.length === 0) continue
    if (!Buffer.concat([Buffer.of(0), environment, Buffer.of(0)]).includes(wanted)) continue
    const identity = await identify(pid)
    if (identity !== undefined) found.push(identity)
  }
  return found
}

export async function commandOf(pid: number): Promise<string> {
  const text = await readProc(`/proc/${String(pid)}/comm`)
  return `${String(pid)} ${text?.toString('utf8').trim() ?? '?'}`
}

/** `target` negative: the process group. A process that ended in between is what was wanted. False: nobody is there. */
export function signal(target: number, name: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(target, name)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw error
  }
}

/** Undefined when the process, or its memory, is gone. */
async function readProc(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error))) return undefined
    throw error
  }
}
