/** Who gets which generation of one module. Pure. */
import type { Claim } from '@holdfast/sdk'

export interface Grant {
  readonly generation: number
  readonly node: string
}

/** Of one module, ascending by generation: the newest is the last. */
export type Grants = readonly Grant[]

/** Kept for nodes that repeat a claim; an older one than these is refused, which is the safe side. */
export const grantsMax = 64

/**
 * A generation is granted once, to the first node that claims it, and to the same node again. What is not newer than
 * the newest grant is refused to everybody else: it would be a right in a history that has gone on.
 */
export function decide(
  grants: Grants,
  asked: Grant,
): { readonly claim: Claim; readonly next: Grants } {
  const holder = grants.find(({ generation }) => generation === asked.generation)
  if (holder !== undefined) {
    return { claim: holder.node === asked.node ? 'granted' : 'refused', next: grants }
  }
  if (asked.generation <= (grants.at(-1)?.generation ?? 0)) {
    return { claim: 'refused', next: grants }
  }
  return { claim: 'granted', next: [...grants, asked].slice(-grantsMax) }
}
