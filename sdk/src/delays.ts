/** How long the parts of a take-over may last, told by the plugins that cause them to the one that checks the sum. */

/** Optional export of a plugin's entry: `delays(config)`. Pure; asked when a configuration is checked. */
export interface Delays {
  /** From the moment when this node does its duty no more until its machine is reset. Undefined: nobody resets it. */
  readonly watchdogMs?: number
  /** The module does not run here without a watchdog. */
  readonly watchdogRequired?: boolean
}
