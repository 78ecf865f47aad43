/** What systemd tells the service through its environment, sd_notify(3) and sd_watchdog_enabled(3). Pure. */

export interface Wanted {
  /** Where to tell it: an absolute path, or `@` and a name without a file. Undefined: nobody listens. */
  readonly socket: string | undefined
  /** How often to say that this process lives: a third of what systemd waits. Undefined: it does not watch. */
  readonly periodMs: number | undefined
}

export function wantedOf(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): Wanted {
  const socket = environment['NOTIFY_SOCKET']
  const isAddress = socket !== undefined && /^[/@]./.test(socket)
  const forPid = environment['WATCHDOG_PID']
  const isMine = forPid === undefined || forPid === String(pid)
  const microseconds = Number(environment['WATCHDOG_USEC'])
  const isWatched = isAddress && isMine && Number.isSafeInteger(microseconds) && microseconds > 0
  return {
    socket: isAddress ? socket : undefined,
    periodMs: isWatched ? Math.max(1, Math.floor(microseconds / 3_000)) : undefined,
  }
}
