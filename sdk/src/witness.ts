/** A witness outside the pair that helps to decide who may go on alone. */
import { point } from './token.js'

/** Three values: a time-out is not a no. */
export type Claim = 'granted' | 'refused' | 'unknown'

export interface Witness {
  readonly id: string
  /** True only when no two nodes can both be granted the same generation, whatever the network does. */
  readonly exclusive: boolean
  /** Asks for the right to be the only one that serves `generation`. Repeating a granted claim is granted again. */
  claim(module: string, generation: number, signal: AbortSignal): Promise<Claim>
}

export const witness = point<Witness>('point.witness')
