/** What starts and stops a part of the application in place of the module's own scripts: a resource agent, for instance. */
import { point } from './token.js'

export interface ProgramCall {
  readonly args: readonly string[]
  /** It is killed when it takes longer, and has failed. */
  readonly timeoutMs: number
  /** Beside the variables of scripts. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Read by scripts, which runs it as it runs scripts: one at a time, and on when the daemon ends. Whoever contributes requires
 * that plugin. Both calls may come again at any time, also when there is nothing to do; 0 is success.
 */
export interface Program {
  /** Unique in the module; names its output and stands in the log: `ocf_web`. */
  readonly name: string
  /** It runs in the roles of the start script of this name. */
  readonly suite: 'both' | 'prim' | 'second' | 'sec'
  /** Within a suite they start in this order, after its start script, and stop in the reverse one, before its stop script. */
  readonly order: number
  readonly path: string
  /** Succeeds when it serves. */
  readonly start: ProgramCall
  /** Succeeds only when nothing of it is left. */
  readonly stop: ProgramCall
}

export const program = point<Program>('point.program')
