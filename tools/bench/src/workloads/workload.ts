/** A piece of work that is done on each side in turn, and what one measurement of it tells. */
import type { Side } from '../sides/side.js'

export type Unit = 'IOPS' | 'MB/s' | 'files/s' | 'tps'

export interface Measurement {
  /** In the workload's unit; more is better. */
  readonly value: number
  /** What was done in all: operations, files or transactions. */
  readonly operations: number
  readonly p50us: number
  readonly p99us: number
}

export interface Workload {
  /** As `--only` and the JSON name it. */
  readonly name: string
  readonly title: string
  readonly unit: Unit
  /** Once for each side, before the first round; not measured. */
  prepare(side: Side): Promise<void>
  /** Before each measurement; not measured. */
  beforeRound(side: Side): Promise<void>
  measure(side: Side, seconds: number): Promise<Measurement>
  /** Once for each side, after the last round, also after a failure. Nothing of the work is left on the disks. */
  clean(side: Side): Promise<void>
}
