/**
 * Which copy of the data is newer, decided by generations and never by a clock.
 *
 * A generation begins whenever one node starts to acknowledge writes that the other may not have. Each node
 * keeps the generations that its data went through, as DRBD does with its generation identifiers: whoever finds
 * the other's generation among its own ancestors has everything the other has, and more.
 */

export interface Generation {
  /** 0: never had data. */
  readonly number: number
  /** The node that serves (or served) in this generation. */
  readonly owner: string
  /** Drawn by chance in each life of a daemon: a node that lost its memory must not make the same generation twice. */
  readonly mark: number
}

export interface Lineage {
  readonly generation: Generation
  /** Ancestors, newest first. */
  readonly history: readonly Generation[]
}

/** `ahead`: mine has everything that theirs has. `diverged`: each has something that the other has not. */
export type Relation = 'same' | 'ahead' | 'behind' | 'diverged'

/** Ancestors kept; an older relation than that reads as diverged, which is the safe side. */
const historyMax = 64

export const noGeneration: Generation = { number: 0, owner: '', mark: 0 }

export function formatGeneration(generation: Generation): string {
  return `${generation.number}:${generation.owner}`
}

/** Unlike its number and owner, this never names another generation. */
export function identityOf(generation: Generation): string {
  return `${formatGeneration(generation)}:${generation.mark.toString(36)}`
}

export function sameGeneration(a: Generation, b: Generation): boolean {
  return a.number === b.number && a.owner === b.owner && a.mark === b.mark
}

export function relate(mine: Lineage, theirs: Lineage): Relation {
  if (sameGeneration(mine.generation, theirs.generation)) return 'same'
  if (theirs.generation.number === 0) return 'ahead'
  if (mine.generation.number === 0) return 'behind'
  if (mine.history.some((ancestor) => sameGeneration(ancestor, theirs.generation))) return 'ahead'
  if (theirs.history.some((ancestor) => sameGeneration(ancestor, mine.generation))) return 'behind'
  return 'diverged'
}

/** The next generation of `mine`, made by `by`; `atLeast` keeps its number above what else is known. */
export function descend(
  mine: Lineage,
  by: Pick<Generation, 'owner' | 'mark'>,
  atLeast = 0,
): Lineage {
  const number = Math.max(mine.generation.number, atLeast) + 1
  const ancestors = mine.generation.number === 0 ? [] : [mine.generation, ...mine.history]
  return { generation: { number, ...by }, history: ancestors.slice(0, historyMax) }
}

/** The newest generation that both went through, or undefined. */
export function commonAncestor(mine: Lineage, theirs: Lineage): Generation | undefined {
  const ofTheirs = [theirs.generation, ...theirs.history]
  return [mine.generation, ...mine.history].find((one) =>
    ofTheirs.some((other) => sameGeneration(one, other)),
  )
}
