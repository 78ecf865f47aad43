/** The core's decisions without its drivers: what the simulator runs, and what loads without any library. */
export {
  freezePulses,
  gracePulses,
  initialMembership,
  isMisdirected,
  isPresent,
  lanDownPulses,
  type MembershipAction,
  type MembershipEvent,
  type MembershipState,
  type MembershipStep,
  nextBoot,
  peerOf,
  step as membershipStep,
  type Watcher,
} from './network/decide.js'
export type { Incarnation } from './network/incarnation.js'
