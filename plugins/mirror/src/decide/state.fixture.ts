/** States of the mirror's machine for tests of single steps. */
import { initialState } from './decide.js'
import { descend, noGeneration } from './lineage.js'
import type { Memory, MirrorConfig, MirrorRole, Place, State, View } from './types.js'

export const config: MirrorConfig = {
  self: 'a',
  peer: 'b',
  defaultprim: 'alone',
  failover: true,
  maxloop: 3,
  loopIntervalMs: 86_400_000,
  isolation: 'alone',
  hasWitness: false,
  timeoutMs: 5_000,
  rightTimeoutMs: 3_000,
  takeoverDelayMs: 5_000,
  syncdeltaMs: 0,
}

export const memory: Memory = {
  ...descend({ generation: noGeneration, history: [] }, { owner: 'a', mark: 1 }),
  data: 'current',
  paired: true,
  wasPrim: true,
}

export function peerAs(role: MirrorRole): View {
  return { role, ready: false, held: false, memory }
}

export function stateAt(place: Place, peer: MirrorRole): State {
  return {
    ...initialState(config, 7),
    memory,
    peer: { life: 'heard', connected: true, view: peerAs(peer), agreed: false },
    place,
  }
}

export const places = {
  prim: {
    role: 'prim',
    stage: 'ready',
    from: 'wait',
    epoch: 5,
    follower: { epoch: 3, stage: 'synced', number: 1 },
    degrading: undefined,
    waiting: undefined,
    fullNext: false,
    proving: undefined,
  },
  /** On the way from PRIM to WAIT, not refused, and nobody follows. */
  demoting: {
    role: 'demoting',
    from: 'prim',
    to: 'wait',
    action: 'stopwait',
    epoch: 7,
    dependsOn: undefined,
    copies: undefined,
    demand: 'none',
    full: false,
    hold: undefined,
    failure: undefined,
    isRefused: false,
  },
  second: { role: 'second', stage: 'live', epoch: 5, full: false },
  wait: {
    role: 'wait',
    stage: 'deciding',
    epoch: 5,
    demand: 'none',
    full: false,
    hold: undefined,
  },
} as const satisfies Record<string, Place>
