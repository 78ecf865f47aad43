/** Membership and transport between the nodes of a cluster. */
export { type Incarnation, nextIncarnation } from './incarnation.js'
export { LogGate } from './log-gate.js'
export { ClusterNetwork, type Network, type NetworkOptions } from './network.js'
export { portKey, unavailablePorts } from './probe.js'
export {
  type Credentials,
  type Lan,
  type LanNode,
  type NetworkSettings,
  othersOf,
} from './settings.js'
export { joinProtocol, nodeUri } from './tls.js'
export { FrameCutter, framed, objectOf } from './wire.js'
