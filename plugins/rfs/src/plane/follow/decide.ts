/** What the following side may believe, and when: pure. The simulator runs these same functions. */
import type { Scope } from '../resync/messages.js'

/** Cut in the middle, such a copy leaves a tree that no list of keys describes: that is written down before it begins. */
export function mustDistrust(scope: Scope): boolean {
  return scope !== 'keys'
}

export interface Said {
  /** The copy of this side is done. */
  readonly equal: boolean
  /** An op of the server came already. */
  readonly live: boolean
}

/**
 * What an op of the server means. The first one says that nothing is acknowledged without this node any more, and not a moment
 * earlier may its copy be called current: the server could still go on alone.
 */
export function opMeans({ equal, live }: Said): 'tooEarly' | 'becomesLive' | 'applies' {
  if (!equal) return 'tooEarly'
  return live ? 'applies' : 'becomesLive'
}
