/** Changes of the content of one file, and fsync. See changes.ts for the rule. */
import { assert } from '@holdfast/sdk'
import { FSYNC_DATA_ONLY, OP, SIZE, WRITE_KILL_SUIDGID } from '../fuse/abi.js'
import type { Request } from '../fuse/request.js'
import { E, FALLOC, errnoName, fallocate, pwrite } from '../libc.js'
import { StatBuffer } from '../stat.js'
import { ATTRIBUTE, KIND, NO_ATTRIBUTES, SYNC } from '../link/ops.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { answer, isRefused, type ChangeParts } from './change-parts.js'
import { Privileges } from './privileges.js'
import type { Written } from './stream.js'

/** A write that is larger is sent in parts. */
const PART_BYTES = 128 * 1024

/** Each returns -errno for an error that is still to be answered, else 0. */
export class FileChanges {
  readonly #stat = new StatBuffer()
  readonly #written: Written = { offset: 0, from: Buffer.alloc(0), at: 0, size: 0 }
  readonly #privileges: Privileges

  constructor(readonly parts: ChangeParts) {
    this.#privileges = new Privileges(parts)
  }

  write(volume: Volume, request: Request, node: Node): number {
    const { reply, rights, stream, toucher } = this.parts
    const fd = volume.table.writable(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const size = request.u32(16)
    const at = SIZE.IN_HEADER + SIZE.WRITE_IN
    if (at + size > request.length) return -E.INVAL
    if ((request.u32(20) & WRITE_KILL_SUIDGID) !== 0 && node.privileged) {
      this.#privileges.drop(volume, request, node, fd)
    }
    toucher.data(volume.table, node, offset, size)
    const sent = stream.concerns(volume, node)
    const user = this.#userOf(request, node)
    rights.allocateAs(user)
    const done = this.#writeParts(volume, request, node, fd, sent)
    rights.allocateAsRoot(user)
    // Also when it failed: a file system that finds no room has set the time before.
    if (sent) stream.owe(volume, node)
    if (done < 0) return done
    reply.view.setUint32(SIZE.OUT_HEADER, done, true)
    reply.view.setUint32(SIZE.OUT_HEADER + 4, 0, true)
    reply.head(request, 8)
    return answer(this.parts, volume, sent, done)
  }

  /**
   * Writes here and, part by part, to the follower: it works on one part while the next is written here, and each part
   * stays in the processor's cache on its way. Returns the bytes written, or -errno when there are none.
   */
  #writeParts(volume: Volume, request: Request, node: Node, fd: number, sent: boolean): number {
    const { stream } = this.parts
    const start = request.u64(8)
    const size = request.u32(16)
    const written = this.#written
    written.from = request.bytes
    written.size = 0
    let done = 0
    while (done < size) {
      written.offset = start + done
      written.at = SIZE.IN_HEADER + SIZE.WRITE_IN + done
      const wanted = Math.min(size - done, PART_BYTES)
      written.size = pwrite(fd, request.address + written.at, wanted, written.offset)
      if (written.size <= 0) break
      done += written.size
      if (sent) stream.write(volume, node, written, done < size)
      if (sent && done < size) stream.push()
    }
    if (done === 0 && written.size < 0) return written.size
    // It ended early (the disk is full): the answer needs an op that can be acknowledged, after the parts that were sent.
    if (sent && (done < size || size === 0)) stream.ops.plain(KIND.FENCE)
    return done
  }

  /** Who may keep set-user-id and set-group-id bits keeps them: a file system clears them when a user changes content. */
  #userOf(request: Request, node: Node): number {
    return node.privileged ? 0 : request.uid
  }

  allocate(volume: Volume, request: Request, node: Node): number {
    const { reply, rights, stream, toucher } = this.parts
    const fd = volume.table.writable(node)
    if (fd < 0) return fd
    const offset = request.u64(8)
    const length = request.u64(16)
    const mode = request.u32(24)
    const shifts = (mode & (FALLOC.COLLAPSE | FALLOC.INSERT)) !== 0
    if (shifts) toucher.whole(volume.table, node)
    else toucher.data(volume.table, node, offset, length)
    // The kernel does not say whether the caller may keep these bits; root may.
    if (request.uid !== 0 && node.privileged) this.#privileges.drop(volume, request, node, fd)
    const user = this.#userOf(request, node)
    rights.allocateAs(user)
    const done = fallocate(fd, mode, offset, length)
    rights.allocateAsRoot(user)
    if (done < 0) return this.#halfAllocated(volume, node, fd, mode, done)
    const sent = stream.concerns(volume, node)
    if (sent) {
      stream.ops.allocate(volume.index, node.id, mode, offset, length)
      stream.owe(volume, node)
    }
    reply.head(request, 0)
    return answer(this.parts, volume, sent)
  }

  /** A file system may fail in the middle, with a part done: the disk is full, and the file has grown. Returns the error. */
  #halfAllocated(volume: Volume, node: Node, fd: number, mode: number, error: number): number {
    const { stream, diverged } = this.parts
    if (isRefused(error) || !stream.concerns(volume, node)) return error
    stream.owe(volume, node)
    if (mode === FALLOC.KEEP_SIZE) return error
    if (mode !== 0) {
      diverged(`a change of the content of a file failed half-way (${errnoName(error)})`)
      return error
    }
    const found = this.#stat.ofDescriptor(fd)
    if (found < 0) {
      diverged(`the size of a file is not known any more (${errnoName(found)})`)
      return error
    }
    const { size } = this.#stat
    stream.ops.attributes(volume.index, node.id, { ...NO_ATTRIBUTES, valid: ATTRIBUTE.SIZE, size })
    stream.unanswered()
    return error
  }

  sync(volume: Volume, request: Request, node: Node): number {
    assert(request.opcode === OP.FSYNC || request.opcode === OP.FSYNCDIR, 'only these are left')
    const { stream, syncs } = this.parts
    const dataOnly = (request.u32(8) & FSYNC_DATA_ONLY) !== 0
    const fd = volume.table.descriptor(node)
    if (fd < 0) return fd
    const ask = (token: number): void => {
      // Times stay owed. Both disks get the one that their own kernel gave the write; setting another one would make each fsync
      // on both sides wait for a transaction of the file system.
      stream.ops.sync(volume.index, node.id, dataOnly ? SYNC.DATA_ONLY : 0, token)
      stream.unanswered()
      stream.push()
    }
    const remote = syncs.both && stream.concerns(volume, node)
    syncs.start(volume, node, fd, request, dataOnly, remote ? ask : undefined)
    return 0
  }
}
