/** What a simulated pair is configured to, and how long things take in it. */
import type { MirrorConfig } from '@holdfast/plugin-mirror'
import { type NodeName, other } from './node.js'

export interface Setting {
  readonly witness: 'none' | 'exclusive'
  readonly isolation: 'alone' | 'wait'
  readonly defaultprim: 'alone' | 'lastprim' | NodeName
  readonly failover: boolean
  readonly maxloop: number
  readonly syncdeltaMs: number
}

export const plainSetting: Setting = {
  witness: 'exclusive',
  isolation: 'wait',
  defaultprim: 'alone',
  failover: true,
  maxloop: 3,
  syncdeltaMs: 0,
}

export const timeoutMs = 5_000
export const rightTimeoutMs = 2_000
/**
 * The right time-out, the two seconds in which two nodes can notice the same cut, and the longest stop of an application
 * that is neither slow nor stuck: by then whoever may not go on has stopped.
 */
export const takeoverDelayMs = 7_000
/** Between two heartbeats on each LAN. */
export const pulseMs = 1_000
export const lans = [0, 1] as const
/** Index of the LAN that carries the replication. */
export const flowLan = 0

export function configOf(self: NodeName, setting: Setting): MirrorConfig {
  return {
    self,
    peer: other(self),
    defaultprim: setting.defaultprim,
    failover: setting.failover,
    maxloop: setting.maxloop,
    loopIntervalMs: 86_400_000,
    isolation: setting.isolation,
    hasWitness: setting.witness === 'exclusive',
    timeoutMs,
    rightTimeoutMs,
    takeoverDelayMs,
    syncdeltaMs: setting.syncdeltaMs,
  }
}
