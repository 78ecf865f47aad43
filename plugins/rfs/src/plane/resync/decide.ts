/** What a copy covers: pure decisions. */
import type { Standing } from '../resync-port.js'

export interface Sides {
  /** The operator or the topology wants everything copied. */
  readonly full: boolean
  readonly source: Standing & { readonly zoneBytes: number }
  readonly target: Standing & { readonly zoneBytes: number }
}

export interface ScopeDecision {
  readonly scope: 'keys' | 'all' | 'full'
  readonly why: string
}

/** Keys are enough only when both journals can be trusted and describe the difference to the same common state. */
export function decideScope({ full, source, target }: Sides): ScopeDecision {
  const all = (why: string): ScopeDecision => ({ scope: 'all', why })
  if (full) return { scope: 'full', why: 'a full copy was ordered' }
  if (!source.trusted) return all(`the primary's journal can't be used: ${source.why ?? 'unknown'}`)
  if (!target.trusted) {
    return all(`the secondary's journal can't be used: ${target.why ?? 'unknown'}`)
  }
  if (source.base === undefined || source.base !== target.base) {
    return all('the two journals do not start from the same state')
  }
  if (source.zoneBytes !== target.zoneBytes) return all('the two nodes have different zone sizes')
  return { scope: 'keys', why: 'both journals tell what may differ' }
}
