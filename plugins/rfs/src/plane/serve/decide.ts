/**
 * What becomes of a change on the serving side, and when the way of a follower ends: pure. The simulator runs these same
 * functions, so what is decided here is what its histories say about the product.
 */

/** See server.ts for what each means to an application. */
export type Mode = 'alone' | 'live' | 'held' | 'refused'

/** `kept`: it waits until it is known who must have it. */
export type Fate = 'made' | 'kept' | 'refused'

export interface Busy {
  /** The last round of a copy: what is changed now would be in no round. */
  readonly lastRound: boolean
  /** As much as may be is sent and not acknowledged. */
  readonly full: boolean
}

export function fateOf(mode: Mode, { lastRound, full }: Busy): Fate {
  if (mode === 'refused') return 'refused'
  return mode === 'held' || lastRound || (mode === 'live' && full) ? 'kept' : 'made'
}

/**
 * `live`: a follower has everything. `lost`: it is gone. `detached`: the right to go on alone was obtained and written down.
 * `refused`: the role is given up.
 */
export type ModeEvent = 'live' | 'lost' | 'detached' | 'refused'

/** Nothing leads from held to alone but the order to go on alone, and nothing out of refused. */
export function modeAfter(mode: Mode, event: ModeEvent): Mode {
  if (mode === 'refused') return mode
  switch (event) {
    case 'live':
      return 'live'
    case 'lost':
      return mode === 'live' ? 'held' : mode
    case 'detached':
      return 'alone'
    case 'refused':
      return 'refused'
  }
}

/** A round whose set is larger than neither may be the last: each byte and each name costs the application time. */
const LAST_BYTES_MAX = 16 * 1024 * 1024
const LAST_KEYS_MAX = 2_048
/** After this many rounds the next one is the last, however large. */
const ROUNDS_MAX = 20

/** May what was changed during the last round be copied while changes wait? */
export function mayBeLastRound(
  rounds: number,
  set: { readonly keys: number; readonly bytes: number },
): boolean {
  return (set.bytes <= LAST_BYTES_MAX && set.keys <= LAST_KEYS_MAX) || rounds >= ROUNDS_MAX
}

/** Both sides say that the trees are equal: the worker here, and the loop of the follower. */
export function mayGoLive(said: { readonly equal: boolean; readonly ready: boolean }): boolean {
  return said.equal && said.ready
}
