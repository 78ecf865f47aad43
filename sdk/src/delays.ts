/** What the plugins of a module mean for a take-over, told by each of them to the topology that checks the sum. */

/** Optional export of a plugin's entry: `delays(config)`. Pure; asked when a configuration is checked. */
export interface Delays {
  /** From the moment when this node does its duty no more until its machine is reset. Undefined: nobody resets it. */
  readonly watchdogMs?: number
  /** The module does not run here without a watchdog. */
  readonly watchdogRequired?: boolean
  /** Silence after which the replication link counts as lost. Undefined: there is no such link. */
  readonly linkMs?: number
  /** The longest time in which what runs here is stopped, or its stop has failed. Undefined: nobody says. */
  readonly stopMs?: number
}
