/**
 * A directory that was empty on the server may hold files of this node alone (`<notreplicated>`): they go with it. Anything else
 * that is still in it stays, and the op fails.
 */
import { exclusionsOf } from '../exclusions.js'
import { MODE, close, cstring } from '../libc.js'
import { pathIn, type Node } from '../nodes.js'
import { join } from '../journal/path.js'
import type { PlaneParts } from '../parts.js'
import { removeName } from '../resync/remove.js'
import { isAbsent, must, namesOf, openDirectory } from '../resync/tree.js'
import { StatBuffer } from '../stat.js'
import type { Volume } from '../volume.js'

const stat = new StatBuffer()
const nothing = (): void => undefined

/** Throws TreeError when the disk can't. */
export function emptyOfLeftOut(
  { launch }: Pick<PlaneParts, 'launch'>,
  volume: Volume,
  parent: Node,
  name: string,
): void {
  const exclusions = exclusionsOf(launch.volumes[volume.index]?.notReplicated)
  const top = pathIn(parent, name)
  if (exclusions === undefined || top === undefined) return
  const directory = openDirectory(volume.root, top)
  if (isAbsent(directory)) return
  must(directory, 'open', top)
  const removal = { root: volume.root, onLinked: nothing, onRemove: nothing, onStep: nothing }
  try {
    for (const one of [...namesOf(directory, top)]) {
      const path = join(top, one.name)
      if (stat.ofName(directory, cstring(one.name)) < 0) continue
      const isDirectory = (stat.mode & MODE.TYPE) === MODE.DIRECTORY
      if (exclusions.covers(path, isDirectory)) removeName(removal, directory, path)
    }
  } finally {
    close(directory)
  }
}
