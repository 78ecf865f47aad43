/** One row of the fault matrix: a module with one checker, what happens to it, and what must follow. */
import type { Stand } from './stand.js'

export interface CheckerFault {
  /** Name of the module, and of the row. */
  readonly name: string
  /** What happens, in the words of the table. */
  readonly what: string
  /** The resource that is watched: `tcp.web`. */
  readonly resource: string
  /** Elements of its `<service>`. */
  readonly xml: string
  /** Programs in its `bin`, beside those that start and stop the application. */
  readonly programs?: Readonly<Record<string, string>>
  readonly nodes?: readonly string[]
  /** Why this machine can't show it; undefined: it can. */
  readonly impossible?: (stand: Stand) => Promise<string | undefined>
  /** Before the module starts. */
  readonly prepare?: (stand: Stand) => Promise<unknown>
  /** What must lead to nothing, before the fault. */
  readonly harmless?: (stand: Stand) => Promise<unknown>
  readonly inject: (stand: Stand) => Promise<unknown>
  /** Undoes `inject`, as far as the module's own start does not. */
  readonly heal?: (stand: Stand) => Promise<unknown>
  /** After the module was stopped. */
  readonly end?: (stand: Stand) => Promise<unknown>
  /** The rule that acts, and what it does. */
  readonly rule: string
  readonly action: 'restart' | 'stopstart' | 'wait'
  /** What the operator is told about the resource. */
  readonly cause: RegExp
}
