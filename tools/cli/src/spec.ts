/** How a command is described: help, parsing and shell completion all come from this one description. */
import type { Client } from './api/client.js'
import type { Terminal } from './output/terminal.js'

/** What the shell offers for a value. */
export type Completion = 'module' | 'node' | 'command' | 'file' | readonly string[]

export interface ArgumentSpec {
  readonly name: string
  readonly summary: string
  readonly required?: boolean
  readonly complete?: Completion
}

export interface OptionSpec {
  readonly short?: string
  readonly long: string
  /** Name of its value. Undefined: a flag. */
  readonly value?: string
  readonly summary: string
  readonly complete?: Completion
  /** May be given several times. */
  readonly repeated?: boolean
}

export interface CommandSpec {
  readonly name: string
  readonly summary: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  readonly examples: readonly string[]
  readonly commands?: readonly CommandSpec[]
  /** Returns the exit code. Absent: a group of commands. */
  readonly run?: (context: Context, input: Input) => Promise<number>
}

/** What was typed. */
export interface Input {
  argument(name: string): string | undefined
  option(long: string): string | undefined
  options(long: string): readonly string[]
  flag(long: string): boolean
}

export interface Context {
  readonly terminal: Terminal
  readonly client: Client
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdin: NodeJS.ReadStream
  readonly commands: readonly CommandSpec[]
}
