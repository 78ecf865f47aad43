/**
 * What of the core the simulator runs: machines that are pure, and classes whose disk, network and time come in from
 * outside.
 */
export {
  carries,
  freezePulses,
  gracePulses,
  hears,
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
export { resolveOrder } from './kernel/graph.js'
export { type PlannedPlugin, PluginSet, type PluginStatus } from './kernel/lifecycle.js'
export { Coordinator } from './modules/coordinator.js'
export { type OrderExecutor, Participant } from './modules/participant.js'
export type { ModuleOrder, Outcome, Prepared, Question } from './modules/protocol.js'
export type { Records } from './modules/records.js'
export { Settlement } from './modules/settlement.js'
