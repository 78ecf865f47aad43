/** Exit codes and failures of the command line. */
import { HoldfastError } from '@holdfast/sdk'
import type { RoleName } from '@holdfast/sdk'

export const exitCode = {
  done: 0,
  /** The order was refused, or what was waited for did not come. */
  refused: 1,
  /** The command was written wrongly. */
  usage: 2,
  /** holdfastd is not running. */
  noDaemon: 3,
} as const

/** `state -q` uses the small numbers for states, so its failures are these plus ten. */
export const quietFailureOffset = 10

/** The numbers that scripts of clusters of this kind expect since long. */
export const exitCodeOfRole: Readonly<Record<RoleName, number>> = {
  STOP: 0,
  WAIT: 1,
  ALONE: 2,
  UP: 2,
  PRIM: 3,
  SECOND: 4,
}

export const cliErrors = {
  usage: 'E_CLI_USAGE',
  noDaemon: 'E_CLI_NO_DAEMON',
  access: 'E_CLI_ACCESS',
  lost: 'E_CLI_CONNECTION_LOST',
  answer: 'E_CLI_ANSWER_INVALID',
  timeout: 'E_CLI_TIMEOUT',
  file: 'E_CLI_FILE',
  module: 'E_CLI_MODULE',
  state: 'E_CLI_STATE',
} as const

export function exitCodeOf(error: HoldfastError): number {
  if (error.code === cliErrors.usage) return exitCode.usage
  if (error.code === cliErrors.noDaemon) return exitCode.noDaemon
  return exitCode.refused
}

/** What `error` says about a file that was named; throws it when it is about something else. */
export function unreadable(path: string, error: unknown): HoldfastError {
  if (!(error instanceof Error) || !('code' in error)) throw error
  const why = reasons.get(String(error.code)) ?? error.message
  return new HoldfastError(cliErrors.file, `${path} can't be read: ${why}`, { cause: error })
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'it is not on this node'],
  ['EISDIR', 'it is a directory'],
  ['EACCES', 'this user may not read it'],
])

export function usageError(message: string, hint: string): HoldfastError {
  return new HoldfastError(cliErrors.usage, message, { hint })
}
