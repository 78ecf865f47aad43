/** A topology decides who runs the application: mirror, farm, light. */
import type { Cancel } from './services.js'
import { point } from './token.js'
import type { Verdict } from './verdict.js'

/** What the operator sees: the name of the role and its colour. */
export type RoleName = 'STOP' | 'WAIT' | 'ALONE' | 'PRIM' | 'SECOND' | 'UP'
export type SubState = 'NotReady' | 'Transient' | 'Ready'

export interface Progress {
  readonly phase: 'compare' | 'copy' | 'delta'
  readonly filesDone: number
  readonly filesTotal: number | undefined
  readonly bytesDone: number
  readonly bytesTotal: number | undefined
  readonly bytesPerSecond: number
  readonly etaSeconds: number | undefined
}

export interface ModuleState {
  readonly role: RoleName
  readonly sub: SubState
  /** `uptodate`, `not uptodate`, `degraded` …, or undefined. */
  readonly detail: string | undefined
  /** Why this state: one sentence. */
  readonly cause: string
  /** What the operator can do next, when there is something to do. */
  readonly hint: string | undefined
  /** Milliseconds since 1970. */
  readonly sinceMs: number
  readonly generation: string | undefined
  readonly progress: Progress | undefined
  /** The same facts of the peer as this node knows them; undefined: never heard. */
  readonly remote:
    | {
        readonly node: string
        readonly role: RoleName | 'UNKNOWN'
        readonly sub: SubState | undefined
      }
    | undefined
}

export type OperatorCommand =
  | 'start'
  | 'stop'
  | 'forcestop'
  | 'restart'
  | 'stopstart'
  | 'swap'
  | 'prim'
  | 'primforce'
  | 'second'
  /** From a failover rule: be WAIT until `wakeup`. A serving node stops its application first, and its peer may take over. */
  | 'wait'
  /** No rule asks for WAIT any more. Without an earlier `wait` it does nothing. */
  | 'wakeup'

export interface CommandOptions {
  /** `prim fullsync`, `second fullsync`: copy everything again. */
  readonly fullsync?: boolean
  /** Who asks: set by checkers and rules, counted by maxloop. Undefined: the operator. */
  readonly identity?: string
  /** Part of a plan and no interruption: maxloop does not count it, and what the operator demanded before stays demanded. */
  readonly routine?: boolean
  /** Why, for log and state. */
  readonly cause?: string
}

export interface Topology {
  /** Returns when the order is accepted (not when the state is reached). A refusal changes nothing. */
  command(command: OperatorCommand, options: CommandOptions): Promise<Verdict>
  state(): ModuleState
  watch(on: (state: ModuleState) => void): Cancel
  /**
   * Called once after all plugins of the module are active. `adopt`: this daemon was restarted
   * and takes over what runs already. `start`: the module is to be started (boot).
   */
  begin(mode: 'rest' | 'adopt' | 'start'): Promise<Verdict>
  /**
   * Resolves when all that was asked and told before is decided and done: it still decides. Rejects with a HoldfastError
   * that says why when what may run here must have ended by now, because another node may begin: the watchdog then lets
   * the machine be reset. Asked by a watchdog while this node serves. A topology without it is not watched.
   */
  alive?(): Promise<void>
}

export const topology = point<Topology>('point.topology')
