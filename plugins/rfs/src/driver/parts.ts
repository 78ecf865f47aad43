/** What the driver of a module's replicated data is made of, and how it answers for its data plane. */
import {
  type Clock,
  done,
  type Exec,
  type Log,
  type ModuleContext,
  type Peers,
  type ReplicaEvent,
  type Store,
  type Verdict,
} from '@holdfast/sdk'
import type { RfsConfig } from './settings.js'
import type { Answer } from './socket.js'

export interface DriverParts {
  readonly clock: Clock
  readonly exec: Exec
  readonly log: Log
  readonly module: ModuleContext
  readonly peers: Peers
  readonly store: Store
  readonly config: RfsConfig
  /** Hears what the topology is told. */
  readonly onTold?: (event: ReplicaEvent) => void
  /** The data plane's program. */
  readonly entry: string
}

/** What the data plane answered, without its fields. */
export async function verdictOf(answer: Promise<Answer>): Promise<Verdict> {
  const given = await answer
  return given.ok ? done : given
}
