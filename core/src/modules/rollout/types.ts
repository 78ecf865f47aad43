/** A new configuration on its way through the nodes of a module that runs: what is remembered, seen and done. */
import type { RoleName, SubState } from '@holdfast/sdk'
import type { ModuleOrder } from '../protocol.js'

/** `beside`: at once, the running role goes on. `rolling`: one node after the other. `stop`: the module stands still meanwhile. */
export type Way = 'beside' | 'rolling' | 'stop'

export interface Step {
  readonly what: 'stop' | 'apply' | 'start' | 'swap'
  /** One node; all of them when a module that stands still everywhere gets its configuration. */
  readonly nodes: readonly string[]
}

export type End = { readonly kind: 'done' } | { readonly kind: 'halted'; readonly reason: string }

/** What survives a restart of the daemon that leads it. */
export interface Rollout {
  readonly id: string
  readonly way: Way
  /** What every node has in the end. */
  readonly order: ModuleOrder
  /** The version of the module that its leader had before, and the new one: for people. */
  readonly from: string
  readonly to: string
  /** Nodes on which the module ran when it began: there it runs in the end. */
  readonly started: readonly string[]
  /** The node that served when it began: after a stop of all nodes it is the first to start. */
  readonly lead: string | undefined
  /** Done, and what was to come of it was seen. */
  readonly taken: readonly Step[]
  /** On disk before it is ordered; what is to come of it was not seen yet. */
  readonly doing: Step | undefined
  /** A node refused the new configuration: what was stopped starts again, then it halts. */
  readonly abandoned: string | undefined
  readonly end: End | undefined
  /** What every node gets again when the new configuration leaves nobody to serve. Undefined: nothing is known. */
  readonly previous: ModuleOrder | undefined
  /** It is on its way back, for this reason: `order` is what `previous` was. */
  readonly returning: string | undefined
  /** What the nodes found in the configuration. */
  readonly warnings: readonly string[]
}

/** A node as it was seen last. */
export interface Standing {
  readonly node: string
  /** False: no answer, and nothing else here is known. */
  readonly isReached: boolean
  readonly hasTarget: boolean
  readonly version: string
  readonly role: RoleName
  readonly sub: SubState
  readonly cause: string
  /** Copied bytes and the like: something moves. */
  readonly progress: number
  readonly failure: string | undefined
}
