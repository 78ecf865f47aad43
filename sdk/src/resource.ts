/** A resource is what a role needs on a node, brought up and down in order: rfs, vip, scripts. */
import { point } from './token.js'
import type { Verdict } from './verdict.js'

/** `up`: serves without a peer and without a copy (light, farm). */
export type Role = 'stop' | 'wait' | 'alone' | 'prim' | 'second' | 'up'

/** Why a transition happens, as scripts receive it. */
export type TransitionAction = 'start' | 'stop' | 'stopstart' | 'stopwait' | 'restart' | 'swap'

export interface Transition {
  readonly from: Role
  readonly to: Role
  readonly action: TransitionAction
  readonly cause: string
  /** Identity of the data that the role works on, `number:node`. */
  readonly generation: string
}

/**
 * A transition has two passes: `leave` over all resources in descending `order` (the application stops
 * before its address goes), then `enter` in ascending order (data, address, application). A resource to
 * which the two roles mean the same does nothing and answers done. Each call is safe to repeat.
 */
export interface Resource {
  readonly id: string
  /** rfs 100, vip 200, scripts 300. */
  readonly order: number
  leave(transition: Transition, signal: AbortSignal): Promise<Verdict>
  enter(transition: Transition, signal: AbortSignal): Promise<Verdict>
  /** After a restart of the daemon: take over what runs for `role`, or say why that can't be. */
  adopt(role: Role, generation: string): Promise<Verdict>
  /** Stop and start the application in place; only scripts have something to do. */
  restart?(transition: Transition, signal: AbortSignal): Promise<Verdict>
}

/** `serving` roles run the application and hold the address. */
export function isServing(role: Role): boolean {
  return role === 'alone' || role === 'prim' || role === 'up'
}

export const resource = point<Resource>('point.resource')
