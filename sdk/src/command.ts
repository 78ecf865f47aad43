/** What a plugin of a module offers to the operator beyond start and stop: `holdfast failover explain -m NAME`. */
import { point } from './token.js'

export interface CommandResult {
  /** False: the CLI exits with 1. What went wrong is in the lines. */
  readonly ok: boolean
  /** For people. */
  readonly lines: readonly string[]
  /** JSON, for programs: what `--json` prints. */
  readonly data: unknown
}

/**
 * Contributed under its two or three words as they are typed: `failover explain`, `checker off`. Unique within a module. No parameter
 * may be called module, nodes, json or help: those are the command line's own.
 */
export interface Command {
  /** One line for `--help`. */
  readonly summary: string
  /** JSON schema of an object: the arguments, each a string, an integer or a boolean. Validated before `run`. */
  readonly parameters: object
  /** Names of parameters that are typed without their name, in this order; all others are `--name value`. */
  readonly positional: readonly string[]
  /**
   * Throws HoldfastError when it can't begin; then nothing was changed. `signal`: the caller went away, or the
   * time of the request is over (10 minutes).
   */
  run(
    parameters: Readonly<Record<string, string | number | boolean>>,
    signal: AbortSignal,
  ): Promise<CommandResult>
}

export const command = point<Command>('point.command')
