/** A rollout as operators see it: what was done, which node has which version, how to go on or back. Pure. */
import type { RolloutView } from '@holdfast/sdk'
import type { Rollout, Standing } from './types.js'

export function viewOf(
  rollout: Rollout,
  standings: readonly Standing[],
  waitsFor: string | undefined,
): RolloutView {
  const { order, way, end, taken, doing, from } = rollout
  return {
    ...{ module: order.name, way, from, to: rollout.to, steps: taken },
    state: end === undefined ? 'running' : end.kind,
    doing: waitsFor ?? (doing && `${doing.what} ${doing.nodes.join(', ')}`),
    nodes: standings.map(({ node, isReached, version, role, hasTarget }) =>
      isReached
        ? { node, version, role, isNew: hasTarget }
        : { node, version: undefined, role: undefined, isNew: false },
    ),
    reason: end?.kind === 'halted' ? end.reason : undefined,
    hint: end?.kind === 'halted' ? hintOf(rollout) : undefined,
    warnings: rollout.warnings,
  }
}

function hintOf({ order }: Rollout): string {
  const { name } = order
  return `when this is corrected, on: holdfast module config ${name} --rolling; back: holdfast module rollback ${name}`
}
