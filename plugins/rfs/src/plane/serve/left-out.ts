/**
 * Renames where a part of the tree is left out of the replication. What would change sides is refused with EXDEV, as between two
 * file systems: programs that move files know what to do then, and the follower is never given half of a tree.
 */
import { MODE, RENAME, close } from '../libc.js'
import { pathIn, type Node, type NodeTable } from '../nodes.js'
import { join } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import type { Toucher } from '../touch.js'
import { DT, isAbsent, namesOf, openDirectory } from '../resync/tree.js'

/** With regular expressions, a directory of more names than this is not looked through while the application waits. */
const NAMES_MAX = 10_000

export interface Renaming {
  readonly parent: Node
  readonly newParent: Node
  readonly name: string
  readonly newName: string
  /** Of renameat2. */
  readonly flags: number
  readonly nameAddress: number
  readonly newNameAddress: number
}

/** `there`: type of what has the new name; it takes the old one in an exchange. */
export function fateOfRename(
  table: NodeTable,
  { parent, name, newParent, newName, flags }: Renaming,
  type: number,
  there: number,
): 'replicated' | 'local' | 'crosses' {
  if (table.exclusions === undefined) return 'replicated'
  const isLocal = table.leavesOut(parent, name, type)
  const kinds = (flags & RENAME.EXCHANGE) === 0 ? [type] : [type, there]
  const crosses = kinds.some(
    (one) =>
      table.leavesOut(parent, name, one) !== isLocal ||
      table.leavesOut(newParent, newName, one) !== isLocal,
  )
  if (crosses) return 'crosses'
  if (isLocal) return 'local'
  const paths = [pathIn(parent, name), pathIn(newParent, newName)] as const
  if (kinds.includes(MODE.DIRECTORY) && changesBeneath(table, ...paths)) return 'crosses'
  return 'replicated'
}

/** Before it is made. `bytes`: of what is renamed; undefined: it is left out, and only the times of its directories change. */
export function touchRenamed(
  toucher: Toucher,
  table: NodeTable,
  { parent, name, newParent, newName }: Renaming,
  bytes: number | undefined,
): void {
  if (bytes === undefined) {
    toucher.meta(table, parent)
    toucher.meta(table, newParent)
    return
  }
  toucher.entry(table, parent, name)
  toucher.entry(table, newParent, newName, bytes)
}

/** Would something beneath come to be left out, or be left out no more? An exchange is looked at from both ends. */
function changesBeneath(
  table: NodeTable,
  from: BytePath | undefined,
  to: BytePath | undefined,
): boolean {
  const { exclusions } = table
  if (exclusions === undefined || from === undefined || to === undefined) return false
  if (exclusions.reachesInto(from) || exclusions.reachesInto(to)) return true
  if (!exclusions.hasPatterns) return false
  return differsBeneath(table, from, to) || differsBeneath(table, to, from)
}

/** Looks at what lies beneath `top`, and how it would be called beneath `moved`. True as well when it is too much to look at. */
function differsBeneath(table: NodeTable, top: BytePath, moved: BytePath): boolean {
  const { exclusions, root } = table
  const pending = ['']
  let looked = 0
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    const directory = openDirectory(root.fd, below === '' ? top : join(top, below))
    if (isAbsent(directory)) continue
    if (directory < 0) return true
    try {
      for (const { name, type } of namesOf(directory, top)) {
        const path = join(below, name)
        const isDirectory = type === DT.DIRECTORY
        const [before, after] = [top, moved].map((one) =>
          exclusions?.matches(join(one, path), isDirectory),
        )
        if (before !== after || ++looked > NAMES_MAX) return true
        if (isDirectory && before !== true) pending.push(path)
      }
    } finally {
      close(directory)
    }
  }
  return false
}
