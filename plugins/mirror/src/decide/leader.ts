/** Who of two nodes that do not serve is to serve: the same answer on both. */
import { noGeneration, relate, type Relation } from './lineage.js'
import type { Memory, MirrorConfig, View } from './types.js'

export type Leader = 'me' | 'peer' | 'nobody' | 'diverged'

/** Like `relate`, but a copy that was never finished has no standing. */
export function relateData(mine: Memory, theirs: Memory): Relation {
  return relate(standing(mine), standing(theirs))
}

/** What the data of a node stands for, in comparing and in going on with them. */
export function standing(memory: Memory): Memory {
  const counts = memory.data === 'current' || memory.data === 'stale'
  return counts ? memory : { ...memory, generation: noGeneration, history: [] }
}

/**
 * The node that has everything leads. When both have, the one that followed the last primary live goes first (it
 * is the fail-over), then the preferred one, then the one that served last, then the smaller name.
 */
export function leader(config: MirrorConfig, mine: View, theirs: View): Leader {
  const relation = relateData(mine.memory, theirs.memory)
  if (relation === 'diverged') return 'diverged'
  const iCan = mine.memory.data === 'current' && relation !== 'behind'
  const peerCan = theirs.memory.data === 'current' && relation !== 'ahead'
  if (iCan && peerCan) return prefersMe(config, mine, theirs) ? 'me' : 'peer'
  if (iCan) return 'me'
  return peerCan ? 'peer' : 'nobody'
}

function prefersMe(config: MirrorConfig, mine: View, theirs: View): boolean {
  const { self, peer, defaultprim } = config
  const byRole = nearness(mine) - nearness(theirs)
  if (byRole !== 0) return byRole > 0
  if (defaultprim === self) return true
  if (defaultprim === peer) return false
  if (mine.memory.wasPrim !== theirs.memory.wasPrim) return mine.memory.wasPrim
  return self < peer
}

/** Whoever is stopped, or told to wait, does not serve by itself: it must not be waited for while the other one can. */
function nearness({ role, held }: View): number {
  if (role === 'second') return 2
  return role === 'stop' || held ? 0 : 1
}
