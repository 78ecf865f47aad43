/** Asks of a name of an open directory, or of the file behind a descriptor, whether it is left out of the copy. */
import type { Exclusions } from '../exclusions.js'
import { nameOf } from '../journal/path.js'
import { MODE, cstring } from '../libc.js'
import type { BytePath } from '../resync-port.js'
import { StatBuffer } from '../stat.js'
import { must } from './tree.js'

const stat = new StatBuffer()

/** A name that is not there is not left out. */
export function isNameLeftOut(
  exclusions: Exclusions | undefined,
  directory: number,
  path: BytePath,
): boolean {
  if (exclusions === undefined || stat.ofName(directory, cstring(nameOf(path))) < 0) return false
  return exclusions.covers(path, (stat.mode & MODE.TYPE) === MODE.DIRECTORY)
}

export function isFileLeftOut(
  exclusions: Exclusions | undefined,
  fd: number,
  path: BytePath,
): boolean {
  if (exclusions === undefined) return false
  must(stat.ofDescriptor(fd), 'stat', path)
  return exclusions.covers(path, (stat.mode & MODE.TYPE) === MODE.DIRECTORY)
}
