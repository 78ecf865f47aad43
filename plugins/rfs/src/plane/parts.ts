/** What the server and the follower of a data plane work with; made once by main.ts. */
import type { LogLevel } from '@holdfast/sdk'
import type { PlaneEvent, PlaneLaunch } from '../driver/protocol.js'
import type { Loop } from './loop.js'
import type { Descriptors } from './descriptors.js'
import type { Journal, ResyncWorker } from './resync-port.js'
import type { WorkerPool } from './workers/pool.js'

export interface PlaneParts {
  readonly launch: PlaneLaunch
  readonly loop: Loop
  readonly pool: WorkerPool
  readonly resync: ResyncWorker
  /** Opened for the time of one role, and closed cleanly at its end. */
  readonly journal: Journal
  readonly descriptors: Descriptors
  /** For requests of the kernel (fuse/ready-memory.ts). */
  readonly requestMemory: Buffer
  readonly tell: (event: PlaneEvent) => void
  readonly log: (level: LogLevel, name: string, fields: Readonly<Record<string, unknown>>) => void
}
