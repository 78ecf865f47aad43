/** A new configuration on its way through the nodes of a module that runs, as operators see it. */
import type { RoleName } from './topology.js'

/** One thing that a rollout does. */
export interface RolloutStep {
  readonly what: 'stop' | 'apply' | 'start' | 'swap'
  readonly nodes: readonly string[]
}

/**
 * A configuration on its way through the nodes of a module that runs. `beside`: at once, beside the running role.
 * `rolling`: one node after the other, the application changes the node once. `stop`: it stands still meanwhile.
 */
export interface RolloutView {
  readonly module: string
  readonly way: 'beside' | 'rolling' | 'stop'
  readonly state: 'running' | 'done' | 'halted'
  /** The version of the module before, and after. */
  readonly from: string
  readonly to: string
  /** In the order in which they were done. */
  readonly steps: readonly RolloutStep[]
  /** What is being done, or waited for. */
  readonly doing: string | undefined
  /** As they were seen last. */
  readonly nodes: readonly {
    readonly node: string
    /** Undefined: it is not reached. */
    readonly version: string | undefined
    readonly role: RoleName | undefined
    /** Does it have the new configuration? */
    readonly isNew: boolean
  }[]
  /** Why it halted, and how to go on or back. */
  readonly reason: string | undefined
  readonly hint: string | undefined
  readonly warnings: readonly string[]
}
