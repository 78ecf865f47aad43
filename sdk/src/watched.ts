/** What other plugins want to have watched: the virtual addresses of vip, and the interfaces that carry them. */
import { point } from './token.js'

/** Read by checker-intf; whoever contributes requires that plugin. */
export interface WatchedInterface {
  /** Name of the resource after its class: `192.168.0.0` makes `intf.192.168.0.0`. */
  readonly ident: string
  /** Undefined: the interface in whose subnet `address` is. */
  readonly name: string | undefined
  readonly address: string
}

/** Read by checker-ip; whoever contributes requires that plugin. `10.0.0.9` makes `ip.10.0.0.9`, watched while this node serves. */
export interface WatchedAddress {
  readonly address: string
  /** Whether the network is asked who else has it. */
  readonly duplicate: boolean
  /** Hardware addresses that may answer for it: a former owner of the module that has no right to it any more. */
  readonly tolerated: () => readonly string[]
}

export const watchedInterface = point<WatchedInterface>('point.watched-interface')
export const watchedAddress = point<WatchedAddress>('point.watched-address')
