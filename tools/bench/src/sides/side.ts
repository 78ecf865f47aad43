/** What is compared: a directory that an application could use, and what stands behind it. */
import type { Host } from '@holdfast/lab'

export type SideName = 'native' | 'holdfast' | 'glusterfs'

/** A node's own files of a side, beneath whatever is mounted over them. */
export interface Copy {
  readonly node: Host
  readonly directory: string
}

export interface Side {
  readonly name: SideName
  /** Where the load runs. */
  readonly node: Host
  /** The directory that the load uses. */
  readonly directory: string
  /** All copies of the directory's files. */
  readonly copies: readonly Copy[]
  /** Whether a process of these nodes, given by its command line, moves this side's data. */
  movesData(commandLine: readonly string[]): boolean
  /** Throws a LabError when a figure would be worth nothing: a copy is not kept up to date any more. */
  check(): Promise<void>
  /** A clean end; what is left running ends with the lab. */
  end(): Promise<void>
}
