/** The module's own scripts, for plugins that add to what a script is called with, or call programs of the module themselves. */
import type { Cancel } from './services.js'
import { token } from './token.js'

/** Provided by at most one plugin of a module; a module without scripts has none. */
export interface ModuleScripts {
  /** What the operator wrote as `<var>`: name → value, for each program that runs for this module. */
  readonly variables: Readonly<Record<string, string>>
  /**
   * At each restart that the rule with this label orders, stop and start scripts get `more` after their own arguments. What
   * was added last under a label counts. At a restart for any other reason nothing is added.
   */
  addToRestart(label: string, more: readonly string[]): Cancel
}

export const moduleScripts = token<ModuleScripts>('module.scripts')
