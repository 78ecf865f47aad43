/** A lab of several machines on one: for the demo, the end to end tests and the benchmarks. */
export { parseArguments } from './arguments.js'
export {
  type CommandOptions,
  type CommandResult,
  LabError,
  mustRun,
  runCommand,
} from './command.js'
export { Freezer } from './freezer.js'
export { Host } from './host.js'
export { Lab, labIds, type LabOptions, removeLeftovers } from './lab.js'
export { type CableChoice, type Loss, Network } from './network.js'
export { type Cable, freeAddress, type LabSpec } from './spec.js'
export { monotonicMs, until } from './wait.js'
export { watchdogDevice } from './watchdog.js'
export { signal, startTimeOf } from './processes.js'
export { clusterXml, formCluster, type ModuleAnswer, Product } from './product.js'
export { type Acknowledged, AcknowledgedFile } from './workload/acknowledged.js'
export {
  type Application,
  ledger,
  type Load,
  parseEntries,
  postgresql,
  startFileClients,
  startSqlClients,
  virtualIp,
} from './workload/application.js'
export { Clients } from './workload/clients.js'
export {
  duplicatedRunners,
  type Entries,
  lostEntries,
  type Runner,
  runnersOf,
} from './workload/judge.js'
export {
  differences,
  evidenceDirectory,
  replicaOf,
  runnersOn,
  textOf,
} from './workload/evidence.js'
export { Installation } from './workload/installation.js'
export { Pair, type PairOptions, patienceMs } from './workload/pair.js'
export { moduleSources } from './workload/sources.js'
export { WitnessServer } from './workload/witness.js'
