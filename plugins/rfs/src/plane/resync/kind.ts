/** Of which kind a name of an open directory is, also where the file system does not tell that with its names. */
import { MODE, cstring } from '../libc.js'
import type { BytePath } from '../resync-port.js'
import { StatBuffer } from '../stat.js'
import { DT } from './tree.js'

const stat = new StatBuffer()

/** `type`: what the directory says. DT_DIR and the like: the bits of the file's type in its mode, twelve to the right. 0: it is not there any more. */
export function kindOf(directory: number, name: BytePath, type: number): number {
  if (type !== DT.UNKNOWN) return type
  return stat.ofName(directory, cstring(name)) < 0 ? 0 : (stat.mode & MODE.TYPE) >> 12
}
