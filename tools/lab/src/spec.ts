/** What a lab is made of: names, addresses and places, all derived from one specification. Nothing here touches the machine. */
import { join } from 'node:path'
import { LabError } from './command.js'

export interface LabSpec {
  /** At most 11 characters of a-z and 0-9: it starts the name of everything that the lab makes. */
  readonly id: string
  readonly nodes: readonly string[]
  readonly clients: readonly string[]
  /** The first one is the LAN of clients and virtual IP; clients are only on that. */
  readonly lans: readonly string[]
  /** `plain`: a directory of this machine's disk. `tmpfs`: memory (also chosen when the disk is an overlay). */
  readonly disks: 'plain' | 'tmpfs'
  /** Each node's `/srv` is a file system of this size of its own, in memory, that survives power cycles; undefined: part of the disk. */
  readonly srvMegabytes?: number
  /** Each node has a watchdog that cuts its power when it is armed and not fed for so long; undefined: none. */
  readonly watchdogSeconds?: number
}

/** One end of a cable: a port of a LAN's switch and the interface of the host that is plugged into it. */
export interface Cable {
  readonly host: string
  readonly lan: string
  readonly port: string
  readonly interface: string
  readonly ipv4: string
  readonly ipv6: string
  /** The same after each power cycle, as that of a real card. */
  readonly mac: string
}

/** All labs live below this directory; one directory each. */
export const labsDirectory = '/var/tmp/holdfast-lab'

const namePattern = /^[a-z][a-z0-9-]{0,10}$/

/** Refuses a specification that could not be built. */
export function checkSpec(spec: LabSpec): void {
  if (!/^[a-z][a-z0-9]{0,10}$/.test(spec.id)) {
    throw new LabError(`lab id "${spec.id}": use 1 to 11 characters of a-z and 0-9, a letter first`)
  }
  const hosts = [...spec.nodes, ...spec.clients]
  for (const name of [...hosts, ...spec.lans]) {
    if (!namePattern.test(name)) {
      throw new LabError(`"${name}": use 1 to 11 characters of a-z, 0-9 and -, a letter first`)
    }
  }
  if (new Set(hosts).size !== hosts.length || new Set(spec.lans).size !== spec.lans.length) {
    throw new LabError('two hosts or two LANs have the same name')
  }
  if (spec.lans.length < 1 || spec.lans.length > 4) throw new LabError('a lab has 1 to 4 LANs')
  if (hosts.length < 1 || hosts.length > 64) throw new LabError('a lab has 1 to 64 hosts')
}

export function labDirectory(id: string): string {
  return join(labsDirectory, id)
}

export function hostDirectory(id: string, host: string): string {
  return join(labsDirectory, id, host)
}

/** Network namespace of all switches of a lab. */
export function switchNamespace(id: string): string {
  return `${id}-lan`
}

export function hostNamespace(id: string, host: string): string {
  return `${id}-h-${host}`
}

/** The bridge that stands for a LAN's switch. */
export function bridgeName(spec: LabSpec, lan: string): string {
  return `br${lanIndex(spec, lan)}`
}

/** All cables of a host: nodes are on every LAN, clients on the first. */
export function cablesOf(spec: LabSpec, host: string): readonly Cable[] {
  const node = spec.nodes.indexOf(host)
  const client = spec.clients.indexOf(host)
  if (node < 0 && client < 0) throw new LabError(`this lab has no host "${host}"`)
  const lans = node >= 0 ? spec.lans : spec.lans.slice(0, 1)
  const number = node >= 0 ? 11 + node : 101 + client
  return lans.map((lan, index) => ({
    host,
    lan,
    port: `${host}-${index}`,
    interface: `eth${index}`,
    ipv4: `10.77.${index}.${number}`,
    ipv6: `fd77:${index}::${number}`,
    mac: `02:77:00:00:0${index}:${number.toString(16).padStart(2, '0')}`,
  }))
}

/** An address of the first LAN that no host has: for a virtual IP. */
export function freeAddress(offset = 0): { readonly ipv4: string; readonly ipv6: string } {
  return { ipv4: `10.77.0.${200 + offset}`, ipv6: `fd77:0::${200 + offset}` }
}

export function lanIndex(spec: LabSpec, lan: string): number {
  const index = spec.lans.indexOf(lan)
  if (index < 0) throw new LabError(`this lab has no LAN "${lan}", it has ${spec.lans.join(', ')}`)
  return index
}
