/**
 * The hardware addresses of the other nodes, so that an address which a former primary still answers for
 * is told from one that belongs to a stranger. Nodes tell each other while all is well and remember.
 */
import type { Log, Peers, Scope, Store } from '@holdfast/sdk'

import type { VipKernel } from './kernel.js'

const storeName = 'peer-interfaces'
const silenceMs = 5_000
const macsMax = 64
const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

interface InterfacesMessage {
  readonly kind: 'interfaces'
  readonly version: 1
  readonly macs: readonly string[]
  /** The sender wants the receiver's: what was told to it before it was there is lost. */
  readonly asks: boolean
}

export class PeerInterfaces {
  private readonly macsOf = new Map<string, readonly string[]>()

  constructor(
    private readonly tools: {
      readonly kernel: VipKernel
      readonly peers: Peers
      readonly store: Store
      readonly log: Log
    },
  ) {}

  async open(scope: Scope): Promise<void> {
    const { peers, store, kernel } = this.tools
    const remembered = await store.read<Readonly<Record<string, readonly string[]>>>(storeName)
    for (const [node, macs] of Object.entries(remembered ?? {})) this.macsOf.set(node, macs)
    const own = (await kernel.interfaces()).filter((one) => !one.loopback).map((one) => one.mac)
    const macs = own.filter((mac) => macPattern.test(mac)).slice(0, macsMax)
    const message = (asks: boolean): InterfacesMessage => ({
      ...{ kind: 'interfaces', version: 1, macs, asks },
    })
    scope.onStop(
      peers.onMessage((node, received) => {
        this.received(node, received)
        if (asksIn(received)) peers.send(node, message(false))
      }),
    )
    for (const node of peers.others) {
      const cancel = peers.watch(node, { timeoutMs: silenceMs, lans: [] }, (event) => {
        // A full queue loses it; the next connection tells it again.
        if (event.kind === 'peerConnected') peers.send(node, message(true))
      })
      scope.onStop(cancel)
    }
  }

  /** Of all other nodes of the module. */
  macs(): readonly string[] {
    return [...this.macsOf.values()].flat()
  }

  private received(node: string, message: unknown): void {
    const macs = macsIn(message)
    if (macs === undefined || macs.join() === this.macsOf.get(node)?.join()) return
    this.macsOf.set(node, macs)
    const all = Object.fromEntries([...this.macsOf].sort(([a], [b]) => (a < b ? -1 : 1)))
    this.tools.store.write(storeName, all).catch((cause: unknown) => {
      // Only the memory across a restart is lost; the peer tells it again when it connects.
      this.tools.log.write('warning', 'peerInterfacesNotSaved', { cause: String(cause) })
    })
  }
}

function asksIn(message: unknown): boolean {
  if (macsIn(message) === undefined) return false
  return (
    typeof message === 'object' && message !== null && 'asks' in message && message.asks === true
  )
}

/** Undefined: not a message of this kind, or malformed. */
function macsIn(message: unknown): readonly string[] | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  if (!('kind' in message) || message.kind !== 'interfaces') return undefined
  if (!('macs' in message) || !Array.isArray(message.macs)) return undefined
  const list: readonly unknown[] = message.macs
  if (list.length > macsMax) return undefined
  const macs = list.filter((mac): mac is string => typeof mac === 'string' && macPattern.test(mac))
  return macs.length === list.length ? macs : undefined
}
