/** What tests and tools may use of the core. Plugins use `@holdfast/sdk` only. */
export { ClusterService } from './cluster/index.js'
export { type Daemon, startDaemon } from './daemon/daemon.js'
export { type Directories, directoriesFrom } from './files/directories.js'
export { systemClock } from './scheduling/clock.js'
