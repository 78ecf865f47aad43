/** Byte paths: taken apart, put together, checked, shown. */
import type { BytePath } from '../resync-port.js'

/** NAME_MAX of Linux. */
export const NAME_BYTES_MAX = 255
/** A tree can be deeper than PATH_MAX; this is where it ends for us. */
export const PATH_BYTES_MAX = 256 * 1024

/** The directory that holds a path; of the root, the root. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

export function nameOf(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function join(directory: BytePath, name: BytePath): BytePath {
  return directory === '' ? name : `${directory}/${name}`
}

/** Can this be one name in a directory? Whatever comes from the peer is asked before it reaches a system call. */
export function isName(name: BytePath): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > NAME_BYTES_MAX) return false
  return !name.includes('/') && !name.includes('\0')
}

/** Is this a path beneath a root (or the root itself)? */
export function isPath(path: BytePath): boolean {
  return path === '' || (path.length <= PATH_BYTES_MAX && path.split('/').every(isName))
}

/** A byte path for a person to read: valid UTF-8 as such, everything else escaped. */
export function printable(path: BytePath): string {
  const text = Buffer.from(path, 'latin1').toString('utf8')
  const shown = text.includes('\ufffd') ? path : text
  return shown === '' ? '.' : JSON.stringify(shown).slice(1, -1)
}
