/** For tests: what a source says of a new file, and of a directory that it visits. */
import type { Writer } from '../journal/bytes.js'
import { MESSAGE, putEntry, type Entry } from './messages.js'

export function putVisit(to: Writer, path: string, volume = 0): Writer {
  return to.u8(MESSAGE.visit).uint(volume).text(path).u8(0)
}

export function putFile(to: Writer, name: string, changes: Partial<Entry> = {}): void {
  putEntry(to.u8(MESSAGE.entry), {
    id: 1,
    ask: true,
    content: 'all',
    visited: false,
    name,
    inode: 1,
    links: 1,
    size: 10,
    rdevMajor: 0,
    rdevMinor: 0,
    target: '',
    mode: 0o100644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    xattrs: [],
    ...changes,
  })
}
