/** What other plugins want to have watched: the virtual addresses of vip, and the interfaces that carry them. */
import { point } from './token.js'

/** Contributed under the name that the resource gets after its class: `192.168.0.0` makes `intf.192.168.0.0`. */
export interface WatchedInterface {
  /** Undefined: the interface in whose subnet `address` is. */
  readonly name: string | undefined
  readonly address: string
}

/** Contributed under the address: `192.168.0.10` makes `ip.192.168.0.10`. Watched while this node serves. */
export interface WatchedAddress {
  readonly address: string
}

/** Read by checker-intf. Whoever contributes requires that plugin. */
export const watchedInterface = point<WatchedInterface>('point.watched-interface')
/** Read by checker-ip. Whoever contributes requires that plugin. */
export const watchedAddress = point<WatchedAddress>('point.watched-address')
