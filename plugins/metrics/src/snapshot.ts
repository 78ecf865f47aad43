/** What this node knows at one moment. */
import type { ClusterView, LogLevel, ModuleView } from '@holdfast/sdk'

export interface CheckedResource {
  readonly name: string
  readonly value: string
  readonly sinceMs: number
}

/** What the rules of a module look at. */
export interface CheckedModule {
  readonly enabled: boolean
  readonly resources: readonly CheckedResource[]
}

export interface ProcessFacts {
  readonly cpuSeconds: number
  readonly startSeconds: number
  readonly residentBytes: number
  readonly heapBytes: number
}

export interface Snapshot {
  readonly cluster: ClusterView
  readonly modules: readonly ModuleView[]
  /** By module; those whose plugins say nothing about resources are missing. */
  readonly checked: ReadonlyMap<string, CheckedModule>
  /** Entries of the log since this daemon started. */
  readonly logged: ReadonlyMap<LogLevel, number>
  readonly process: ProcessFacts
}
