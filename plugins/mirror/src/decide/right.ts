/** Must what may run here have ended by now, because the other node may begin? Asked by a watchdog. */
import { isAt, peerView, serves } from './plan.js'
import type { State } from './types.js'

/**
 * Why, or undefined. Only where a witness gives the other node the right to begin: without one either the operator
 * accepted that both run, or nobody begins. A node that is asked to stop and is heard by the other one may take its time.
 */
export function overdue(state: State): string | undefined {
  const { config, memory, peer } = state
  if (!config.hasWitness || !isAt(state, 'demoting')) return undefined
  const { from, isRefused } = state.place
  if (from !== 'alone' && from !== 'prim') return undefined
  const view = peerView(state)
  if (view !== undefined && serves(view.role)) return `${config.peer} serves`
  if (isRefused) return `nobody let this node go on without ${config.peer}`
  const mayBegin = memory.paired && peer.life === 'silent'
  return mayBegin ? `${config.peer} is silent and may begin to serve` : undefined
}
