/** The other modules of this node, for a plugin whose module depends on one. */
import type { Cancel } from './services.js'
import { token } from './token.js'
import type { ModuleState } from './topology.js'

export interface Modules {
  /** Undefined: no such module is configured on this node, or its plugins did not start. */
  state(name: string): ModuleState | undefined
  /** Tells each change of any module's state. */
  watch(on: (name: string, state: ModuleState) => void): Cancel
}

/** Whether this module's own topology still decides, for a watchdog. */
export interface Liveness {
  /**
   * Resolves when it has decided and done all that it was told before; at once when it can't say, or there is none. Rejects
   * with a HoldfastError when what may run here must have ended by now: its message says why.
   */
  alive(): Promise<void>
}

export const liveness = token<Liveness>('core.liveness')
export const modules = token<Modules>('core.modules')
