/** What a simulated cluster is configured to: its LANs, its nodes, who watches whom. */
import type { Random } from '../random.js'

export interface Setting {
  /** Names of the nodes, sorted. */
  readonly nodes: readonly string[]
  readonly lans: readonly string[]
}

export interface Profile {
  readonly name: string
  /** Somebody on the LANs sends captured datagrams again, and makes some up. */
  readonly hasAttacker: boolean
  readonly nodes: readonly number[]
  readonly lans: readonly number[]
}

export const pulseMs = 250
/** Time-outs of the watchers of one LAN (shorter than it takes to show a LAN as down), and of those of all. */
export const oneLanTimeoutMs = 750
export const timeoutMs = 2_000
/** A stream on which nothing came for so long is closed by either end. */
export const streamTimeoutMs = 3_000
/** The longest that a history lets a datagram be under way. */
export const delayMsMax = 2_500
/** Datagrams that a socket keeps for a process that does not read. */
export const socketMax = 200

export const profiles: readonly Profile[] = [
  { name: 'pair', hasAttacker: false, nodes: [2], lans: [1, 2] },
  { name: 'attacked', hasAttacker: true, nodes: [2], lans: [1, 2] },
  { name: 'three', hasAttacker: true, nodes: [3], lans: [2, 3] },
]

export function profileOf(seed: number): Profile {
  const profile = profiles[seed % profiles.length]
  if (profile === undefined) throw new Error('there is a profile for each seed')
  return profile
}

export function settingOf(profile: Profile, random: Random): Setting {
  const nodes = ['a', 'b', 'c'].slice(0, random.pick(profile.nodes))
  const lans = ['lan1', 'lan2', 'lan3'].slice(0, random.pick(profile.lans))
  return { nodes, lans }
}
