/** Who this node is and whom it may talk to, before and after it belongs to a cluster. */
import type { Cancel, Peers } from '@holdfast/sdk'
import { LatePeers, type PeersSource } from './late-peers.js'

export interface MembershipSource {
  current():
    | {
        readonly network: PeersSource
        readonly config: { readonly self: string; readonly nodes: readonly string[] }
      }
    | undefined
  onChange(on: () => void): Cancel
}

export class NodeMembership {
  /** Given out before there was a network: to the plugins of the node, once each. */
  private readonly late: LatePeers[] = []
  private isMember = false

  constructor(private readonly cluster: MembershipSource) {}

  /** All nodes of the cluster, sorted; empty: this node belongs to none. */
  nodes(): readonly string[] {
    return [...(this.cluster.current()?.config.nodes ?? [])].sort()
  }

  self(): string {
    return this.cluster.current()?.config.self ?? ''
  }

  others(): readonly string[] {
    return this.nodes().filter((node) => node !== this.self())
  }

  peersFor(owner: string, others: () => readonly string[]): Peers {
    const network = this.cluster.current()?.network
    if (network !== undefined) return network.peersFor(owner, others)
    const peers = new LatePeers(owner, others)
    this.late.push(peers)
    return peers
  }

  /** Connects what waited for the network. False as long as this node belongs to no cluster. */
  enter(): boolean {
    const network = this.cluster.current()?.network
    if (network === undefined) return false
    this.isMember = true
    for (const peers of this.late.splice(0)) peers.attach(network)
    return true
  }

  /** Calls once, when the daemon that started without a cluster becomes a member. A rejection is a bug. */
  onEntered(on: () => Promise<void>): Cancel {
    return this.cluster.onChange(() => {
      if (!this.isMember && this.enter()) void on()
    })
  }
}
