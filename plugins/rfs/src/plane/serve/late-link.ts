/**
 * A file that was made without a name before this session gets one now: the follower knows nothing of it, so it is sent
 * as it is. The content waits in the connection's buffer; files of that kind are small in practice, and larger ones than
 * the buffer may hold are left to the next comparison by ending the session.
 */
import { assert } from '@holdfast/sdk'
import { MODE, addressOf, getxattr, listxattr, pread, selfPath } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { ATTRIBUTE, MAKE } from '../link/ops.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import type { ChangeParts } from './change-parts.js'

const PIECE_BYTES = 1024 * 1024
/** Together with what may wait anyway this stays below what the connection's buffer may hold. */
const UNNAMED_BYTES_MAX = 32 * 1024 * 1024
const XATTR_BYTES = 65_536

const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
const pieceAddress = addressOf(piece)
const stat = new StatBuffer()

/** Can the whole file wait in the connection's buffer? */
export function fitsUnnamed(volume: Volume, node: Node): boolean {
  return volume.table.stat(node, stat) === 0 && stat.size <= UNNAMED_BYTES_MAX
}

/** Makes the follower know the file; `fitsUnnamed` was asked before. */
export function sendUnnamed(parts: ChangeParts, volume: Volume, node: Node, parent: Node): void {
  const { stream } = parts
  const fd = volume.table.descriptor(node)
  const known = fd >= 0 && stat.ofDescriptor(fd) === 0 && stream.concerns(volume, parent)
  assert(known, 'a file without a name has a descriptor, and its new directory a name')
  const { size } = stat
  const permissions = stat.mode & 0o7777
  const { uid, gid } = stat
  const making = { mode: MODE.FILE | 0o600, umask: 0, uid: -1, gid: -1, rdev: 0, target: '' }
  stream.ops.make(volume.index, parent.id, node.id, '', MAKE.UNNAMED, making)
  stream.introduced(node)
  stream.unanswered()
  for (let offset = 0; offset < size; offset += PIECE_BYTES) {
    const got = pread(fd, pieceAddress, Math.min(PIECE_BYTES, size - offset), offset)
    if (got <= 0) break
    stream.write(volume, node, { offset, from: piece, at: 0, size: got })
    stream.unanswered()
  }
  sendXattrs(parts, volume, node, fd)
  stream.ops.attributes(volume.index, node.id, {
    valid: ATTRIBUTE.OWNER | ATTRIBUTE.MODE | ATTRIBUTE.SIZE,
    mode: permissions,
    uid,
    gid,
    size,
    atimeSeconds: 0,
    atimeNanos: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
  })
  stream.unanswered()
  stream.owe(volume, node)
}

function sendXattrs({ stream }: ChangeParts, volume: Volume, node: Node, fd: number): void {
  const path = selfPath(fd)
  const names = Buffer.alloc(XATTR_BYTES)
  const got = listxattr(path, names, XATTR_BYTES)
  const value = Buffer.alloc(XATTR_BYTES)
  const all = names.toString('latin1', 0, Math.max(0, got)).split('\0')
  for (const name of all.filter((one) => one !== '')) {
    const size = getxattr(path, Buffer.from(name + '\0', 'latin1'), value, XATTR_BYTES)
    if (size < 0) continue
    stream.ops.setXattr(volume.index, node.id, name, value.subarray(0, size), 0)
    stream.unanswered()
  }
}
