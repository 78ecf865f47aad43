/** Peers for owners that live longer than the network: before the node joins a cluster there is nobody to talk to. */
import { type Cancel, HoldfastError, type PeerEvent, type Peers } from '@holdfast/sdk'

export interface PeersSource {
  peersFor(owner: string, others: () => readonly string[]): Peers
}

interface Registration {
  attach(peers: Peers): Cancel
  cancel: Cancel
}

/** Registrations made early take effect when `attach` brings the network. */
export class LatePeers implements Peers {
  private peers: Peers | undefined
  private readonly registrations = new Set<Registration>()

  constructor(
    private readonly owner: string,
    private readonly allowed: () => readonly string[],
  ) {}

  attach(network: PeersSource): void {
    const peers = network.peersFor(this.owner, this.allowed)
    this.peers = peers
    for (const registration of this.registrations) {
      registration.cancel()
      registration.cancel = registration.attach(peers)
    }
  }

  get self(): string {
    return this.peers?.self ?? ''
  }

  get others(): readonly string[] {
    return this.peers?.others ?? []
  }

  state(node: string): ReturnType<Peers['state']> {
    const nothing = { node, lans: [], connected: false, incarnation: undefined }
    return this.peers?.state(node) ?? nothing
  }

  watch(
    node: string,
    options: { readonly timeoutMs: number; readonly lans: readonly string[] },
    on: (event: PeerEvent) => void,
  ): Cancel {
    return this.register((peers) => peers.watch(node, options, on))
  }

  send(node: string, message: unknown): boolean {
    return this.peers?.send(node, message) ?? false
  }

  onMessage(on: (node: string, message: unknown) => void): Cancel {
    return this.register((peers) => peers.onMessage(on))
  }

  async call(node: string, message: unknown, timeoutMs: number): Promise<unknown> {
    if (this.peers !== undefined) return await this.peers.call(node, message, timeoutMs)
    throw new HoldfastError(
      'E_CLUSTER_NONE',
      `node ${node} can't be reached: there is no cluster`,
      {
        hint: 'run "holdfast cluster init" or "holdfast cluster join" first',
      },
    )
  }

  onCall(answer: (node: string, message: unknown) => Promise<unknown>): Cancel {
    return this.register((peers) => peers.onCall(answer))
  }

  address(node: string, lan?: string): string | undefined {
    return this.peers?.address(node, lan)
  }

  private register(attach: (peers: Peers) => Cancel): Cancel {
    const registration: Registration = {
      attach,
      cancel: this.peers === undefined ? () => undefined : attach(this.peers),
    }
    this.registrations.add(registration)
    return () => {
      this.registrations.delete(registration)
      registration.cancel()
    }
  }
}
