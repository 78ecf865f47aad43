/** What the network of a node is told: who it is, who the others are, and over which LANs they are reached. */

export interface LanNode {
  readonly name: string
  /** The address that the other nodes use: IPv4, IPv6 without brackets, or a DNS name. */
  readonly addr: string
  /** The address to bind here, when it is another one (NAT). */
  readonly laddr?: string
}

export interface Lan {
  readonly name: string
  readonly port: number
  /** The nodes on this LAN, in the order of cluster.xml. */
  readonly nodes: readonly LanNode[]
}

/** The keys of a node. They are read once and never logged. */
export interface Credentials {
  readonly authorityPem: string
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** 32 bytes that only the members of the cluster have. */
  readonly heartbeatKey: Buffer
}

export interface NetworkSettings {
  readonly cluster: string
  readonly self: string
  readonly revision: number
  readonly pulseMs: number
  /** In order of preference. */
  readonly lans: readonly Lan[]
}

/** The other nodes, sorted: the same order everywhere. */
export function othersOf(settings: NetworkSettings): readonly string[] {
  const names = settings.lans.flatMap((lan) => lan.nodes.map((node) => node.name))
  return [...new Set(names)].filter((name) => name !== settings.self).sort()
}

/** A node's entry on a LAN, or undefined when it is not there. */
export function entryOf(lan: Lan, node: string): LanNode | undefined {
  return lan.nodes.find((entry) => entry.name === node)
}

/** The LANs that this node and `node` are both on, in order of preference. */
export function commonLans(settings: NetworkSettings, node: string): readonly Lan[] {
  return settings.lans.filter(
    (lan) => entryOf(lan, node) !== undefined && entryOf(lan, settings.self) !== undefined,
  )
}
