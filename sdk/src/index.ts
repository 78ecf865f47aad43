/** What a plugin author depends on. */
export { assert, assertNever } from './assert.js'
export { type CheckAction, type CheckEntry, entryProblems, ruleOf } from './check.js'
export {
  causeOfRule,
  type Checker,
  checker,
  type CheckerPhase,
  type ResourceValue,
  type RuleAction,
  ruleOfCause,
} from './checker.js'
export { type Command, command, type CommandResult } from './command.js'
export type { Delays } from './delays.js'
export { type DurationUnit, parseDuration } from './duration.js'
export { type ErrorFields, HoldfastError, messageOf } from './errors.js'
export { Front } from './front.js'
export {
  endProcess,
  eventsMax,
  type MachineDriver,
  type RunningMachine,
  runMachine,
} from './host.js'
export {
  interfacesOf,
  type KernelAddress,
  type KernelInterface,
  type KernelNeighbour,
  neighboursOf,
} from './iproute.js'
export { looking, type LookingTimes, type Seen } from './looking.js'
export type { Machine } from './machine.js'
export { countLoop, isOverMaxloop, type LoopLimit } from './maxloop.js'
export type { PluginManifest } from './manifest.js'
export { type Liveness, liveness, type Modules, modules } from './modules.js'
export type {
  InstallReport,
  PackageParameter,
  PackageQuestion,
  PackageSource,
  PackageView,
  UpgradeReport,
} from './packages.js'
export type { RolloutStep, RolloutView } from './rollout.js'
export { nearest } from './nearest.js'
export { type Notice, type NoticeMessage, type Notifier, notifier } from './notifier.js'
export { ping, type PingAnswer, pingProblem, type PingQuestion } from './ping.js'
export { definePlugin, type Deps, type Needs, type PluginDefinition, type Scope } from './plugin.js'
export { type Program, type ProgramCall, program } from './program.js'
export { type Remark, remark } from './remark.js'
export { type Replica, type ReplicaEvent, replica } from './replica.js'
export {
  isServing,
  type Resource,
  type Role,
  resource,
  type Transition,
  type TransitionAction,
} from './resource.js'
export { type Route, type RouteRequest, route } from './route.js'
export { type ModuleScripts, moduleScripts } from './scripts.js'
export {
  type Cancel,
  type Clock,
  clock,
  type Exec,
  exec,
  type LanState,
  type Log,
  type LogLevel,
  log,
  type ModuleContext,
  moduleContext,
  type PeerEvent,
  type Peers,
  type PeerState,
  peers,
  type RunOptions,
  type RunResult,
  type Store,
  store,
} from './services.js'
export {
  type Contributions,
  live,
  type LivePoint,
  optional,
  type Point,
  point,
  type Token,
  token,
} from './token.js'
export {
  type CommandOptions,
  type ModuleState,
  type OperatorCommand,
  type Progress,
  type RoleName,
  type SubState,
  type Topology,
  topology,
} from './topology.js'
export { Transitions } from './transitions.js'
export { moduleVariables } from './variables.js'
export { done, refused, type Verdict } from './verdict.js'
export {
  type ClusterView,
  type CommandView,
  type ConfigReport,
  type Control,
  type ControlEvent,
  control,
  type LogEntry,
  type ModuleView,
  type NodeView,
} from './control.js'
export type {
  PluginActivity,
  PluginArchive,
  PluginFailure,
  PluginsReport,
  PluginView,
  TrustedKeyView,
} from './plugins.js'
export { type Claim, type Witness, witness } from './witness.js'
export {
  watchedAddress,
  type WatchedAddress,
  watchedInterface,
  type WatchedInterface,
} from './watched.js'
