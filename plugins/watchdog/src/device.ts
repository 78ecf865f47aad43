/**
 * A watchdog device: from the moment when it is open, the machine is reset unless it is fed in time. Writing `V` just
 * before it is closed switches it off; a process that dies can't, which is the point.
 */
import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs'
import type { Verdict } from '@holdfast/sdk'
import { identityOf, setTimeoutSeconds } from './ioctl.js'

export interface Device {
  /** What it calls itself: `Software Watchdog`, `iTCO_wdt`; of a pipe: `pipe`. */
  readonly identity: string
  /** Sets another time-out while it runs. Returns why it can't; the old one is in force then. */
  shorten(timeoutSeconds: number): string | undefined
  /** Throws what the system says. */
  feed(): void
  /** Switches it off. A device that was built never to be switched off goes on, and the machine is reset. */
  disarm(): void
}

export type Refusal = Extract<Verdict, { ok: false }>
export type Opened = { readonly ok: true; readonly device: Device } | Refusal

/** Not waiting: a pipe without a reader is an error, a full one too. */
const openFlags = constants.O_WRONLY | constants.O_NONBLOCK
const hint = 'load a driver (modprobe softdog is one for every machine), or write another device'

/** Can it be one at all? Does not open it: that would start it. Undefined: yes. */
export function problemOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return `${path} does not exist: ${hint}`
  // A file would take every byte and reset nothing.
  if (!found.isCharacterDevice() && !found.isFIFO()) {
    return `${path} is neither a watchdog device nor a named pipe`
  }
  return undefined
}

/** Opens and so starts it. */
export function openDevice(path: string, timeoutSeconds: number): Opened {
  const problem = problemOf(path)
  if (problem !== undefined) return failure('E_WATCHDOG_NONE', problem)
  let fd: number
  try {
    fd = openSync(path, openFlags)
  } catch (thrown) {
    return failure('E_WATCHDOG_OPEN', `${path} can't be opened: ${sentenceOf(thrown)}`)
  }
  const device = deviceOf(fd, path)
  const wrong = device.shorten(timeoutSeconds)
  if (wrong === undefined) return { ok: true, device }
  device.disarm()
  return failure('E_WATCHDOG_TIMEOUT', wrong)
}

function deviceOf(fd: number, path: string): Device {
  return {
    shorten: (seconds) => timeoutProblem(fd, path, seconds),
    identity: identityOf(fd) ?? 'pipe',
    feed: () => writeSync(fd, '.'),
    disarm: () => {
      try {
        writeSync(fd, 'V')
      } finally {
        closeSync(fd)
      }
    },
  }
}

/** A longer time-out than the configured one would let both nodes run: that one was compared with the others. */
function timeoutProblem(fd: number, path: string, seconds: number): string | undefined {
  if (identityOf(fd) === undefined) {
    return statSync(path).isFIFO() ? undefined : `${path} is a device, but no watchdog`
  }
  const granted = setTimeoutSeconds(fd, seconds)
  if (granted === undefined) return `${path} lets nobody set its time-out`
  return granted > seconds
    ? `${path} can't be set to ${String(seconds)} s, only to ${String(granted)} s: write timeout="${String(granted)}s"`
    : undefined
}

function failure(code: string, reason: string): Refusal {
  return { ok: false, code, reason }
}

function sentenceOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)
  switch (code) {
    case 'EBUSY':
      return 'another program uses it (systemd with RuntimeWatchdogSec, watchdogd, another cluster)'
    case 'ENXIO':
      return 'nobody reads this pipe'
    case 'EACCES':
    case 'EPERM':
      return 'this process may not'
    default:
      return code
  }
}
