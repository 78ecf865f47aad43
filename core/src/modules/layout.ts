/** Where a module's files are on a node. */
import { join } from 'node:path'
import type { Directories } from '../files/directories.js'

export interface ModuleLayout {
  /** What the operator edits. */
  readonly sources: string
  /** Sources that are being written, renamed when they are complete. */
  readonly sourcesStaged: string
  /** All that survives a reboot. */
  readonly home: string
  /** The sources before the last upgrade, for one step back. */
  readonly previous: string
  /** Files of the last upgrade that were not taken, because the operator had changed his. */
  readonly offered: string
  /** The configuration that is in force: `applied.json` and `package/`. One rename replaces both. */
  readonly applied: string
  readonly staged: string
  readonly state: string
  readonly logs: string
  readonly run: string
}

export function layoutOf(directories: Directories, name: string): ModuleLayout {
  const home = join(directories.lib, 'modules', name)
  return {
    sources: join(directories.etc, 'modules', name),
    sourcesStaged: join(directories.etc, 'modules', `.${name}.new`),
    home,
    previous: join(home, 'previous'),
    offered: join(home, 'offered'),
    applied: join(home, 'applied'),
    staged: join(home, 'staged'),
    state: join(home, 'state'),
    logs: join(home, 'logs'),
    run: join(directories.run, 'modules', name),
  }
}
