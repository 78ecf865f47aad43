/** Starts the data plane as a process that outlives the daemon, and knows it again by pid and start time. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile, readlink, rename, stat, writeFile } from 'node:fs/promises'
import { errnoOf } from './errno.js'

/** A pid alone may mean another process after a while; with the start time it can't. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTicks: string
}

/** Undefined: there is no such process (or it is a zombie). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const text = await readProc(`/proc/${String(pid)}/stat`)
  if (text === undefined) return undefined
  // The name in parentheses may hold blanks and parentheses: what follows the last one is regular.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const startTicks = fields[19]
  return startTicks === undefined || fields[0] === 'Z' ? undefined : { pid, startTicks }
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTicks === identity.startTicks
}

/** SIGKILL, only when it is still the same process. */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return
  signalProcess(identity.pid, 'SIGKILL')
}

/** A process that ended in between is what was wanted. */
export function signalProcess(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

export interface Started {
  readonly pid: number
  /** Set when it has ended: exit code or signal. */
  readonly ended: () => string | undefined
  /** It ended because another process holds the lock. */
  readonly lockHeld: () => boolean
}

const lockHeldCode = 75
/** A process that was seen to end may have threads that end a moment later, and hold the lock until then. */
const lockWaitSeconds = 2
const logBytesMax = 4 * 1024 * 1024

/**
 * Its own session, so that neither the daemon's end nor a terminal's ends it. `flock` hands its lock to the data
 * plane by exec: the kernel then knows whether one runs, whatever became of the daemon that started it.
 */
export async function startPlane(parts: {
  readonly entry: string
  readonly launchFile: string
  readonly lockFile: string
  readonly logFile: string
}): Promise<Started> {
  await rotate(parts.logFile)
  const log = openSync(parts.logFile, 'a', 0o600)
  let ended: string | undefined
  let code: number | null = null
  const child = spawn(
    'flock',
    [
      '--no-fork',
      '--timeout',
      String(lockWaitSeconds),
      '--conflict-exit-code',
      String(lockHeldCode),
      parts.lockFile,
      process.execPath,
      parts.entry,
      parts.launchFile,
    ],
    { detached: true, stdio: ['ignore', log, log], cwd: '/', env: environment() },
  )
  child.on('exit', (exitCode, signal) => {
    code = exitCode
    ended = signal === null ? `exit code ${String(exitCode)}` : `signal ${signal}`
  })
  child.on('error', (error) => {
    ended = error.message
  })
  child.unref()
  closeSync(log)
  return { pid: child.pid ?? 0, ended: () => ended, lockHeld: () => code === lockHeldCode }
}

/** The launch file holds no secrets; still nobody else needs it. */
export async function writeLaunch(path: string, launch: object): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(launch, undefined, 2), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** The last lines of the log file: why a data plane did not start. */
export async function lastLines(path: string, bytes: number): Promise<string> {
  const text = (await readProc(path)) ?? ''
  return text.slice(-bytes).trim()
}

/**
 * Undefined when the file or its process does not exist, the process is ending (its mountinfo is EINVAL then), or
 * even root may not look into it.
 */
export async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL', 'EACCES', 'EPERM'].includes(errnoOf(error))) return undefined
    throw error
  }
}

/**
 * Where a link of /proc leads. Empty: nowhere any more, for processes come and go while they are looked at; or a file that is open lies
 * deeper than a path can say.
 */
export async function linkOf(path: string): Promise<string> {
  try {
    return await readlink(path)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENAMETOOLONG'].includes(errnoOf(error))) return ''
    throw error
  }
}

async function rotate(path: string): Promise<void> {
  const size = await stat(path).then(
    (one) => one.size,
    (error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return 0
      throw error
    },
  )
  if (size > logBytesMax) await rename(path, `${path}.1`)
}

function environment(): Record<string, string> {
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH: process.env['PATH'] ?? path, LC_ALL: 'C' }
}
