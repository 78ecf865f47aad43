/** The replicated data of a module, as its topology sees it. At most one plugin of a module provides it. */
import type { Cancel } from './services.js'
import { token } from './token.js'
import type { Progress } from './topology.js'
import type { Verdict } from './verdict.js'

/**
 * The serving side is started by `Resource.enter` (alone or prim) and holds every write that the peer must
 * have and does not have. It never goes on alone by itself: only `detach` releases it.
 *
 * All orders carry the epoch of the question; events of an older epoch are ignored by the topology.
 */
export interface Replica {
  /** Serving side: let the peer (re)join. It records changes until the copy is identical. Replaces an older `admit`. */
  admit(order: { readonly epoch: number; readonly full: boolean }): Promise<Verdict>
  /**
   * Serving side: the right to go on alone was obtained and persisted under `generation`. Start recording what
   * changes, then release the writes that wait. After this the peer's copy is stale.
   */
  detach(order: { readonly epoch: number; readonly generation: string }): Promise<Verdict>
  /**
   * Serving side: the role is given up while writes may wait for the peer. Answers them, and every later change, with an
   * error: a program that waits in a write can't be stopped. Nothing that it promised is lost, for nothing was acknowledged.
   */
  refuse(): Promise<Verdict>
  /**
   * Receiving side: connect to the serving peer, become identical, then follow it live. `abandons` identifies a history
   * of this node's own: what it wrote in that and the peer never had is kept elsewhere before it is overwritten, or
   * it is not overwritten.
   */
  follow(order: {
    readonly epoch: number
    readonly full: boolean
    readonly abandons?: string
  }): Promise<Verdict>
  /** Receiving side: stop following. Returns when nothing more is applied: what was received is on the local file system. */
  unfollow(): Promise<Verdict>
  /**
   * Milliseconds since anything was heard of the peer's data plane; undefined when there is no link. A live link sends
   * a keep-alive at least every 250 ms, so this is evidence of the peer's life apart from its daemon's heartbeats.
   */
  heardMsAgo(): Promise<number | undefined>
  progress(): Progress | undefined
  watch(on: (event: ReplicaEvent) => void): Cancel
}

export type ReplicaEvent =
  /**
   * Serving side: from now on no write is acknowledged without the peer, and the peer has everything acknowledged
   * before. Receiving side: the local tree equals the serving one and follows it.
   */
  | { readonly kind: 'copyFinished'; readonly epoch: number }
  /** Bulk or delta copy, or the live link, ended. Serving side and live before: writes are held until `detach` or a new link. */
  | { readonly kind: 'linkLost'; readonly epoch: number; readonly cause: string }
  /** The data plane or the mount is gone: this node cannot serve. */
  | { readonly kind: 'dataFailed'; readonly cause: string }
  | { readonly kind: 'progressed'; readonly progress: Progress }

export const replica = token<Replica>('data.replica')
