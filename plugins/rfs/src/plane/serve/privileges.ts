/**
 * Set-user-id and set-group-id bits, which go when somebody without the right to keep them changes a file. We write as root, so the file
 * system beneath does not do it by itself (capabilities of the file it does drop).
 */
import type { Request } from '../fuse/request.js'
import { MODE, fchmod } from '../libc.js'
import { ATTRIBUTE, NO_ATTRIBUTES } from '../link/ops.js'
import type { Node } from '../nodes.js'
import { StatBuffer } from '../stat.js'
import type { Volume } from '../volume.js'
import type { ChangeParts } from './change-parts.js'
import { isInGroup } from './membership.js'

const SPECIAL_BITS = 0o6000

export class Privileges {
  readonly #stat = new StatBuffer()

  constructor(readonly parts: Pick<ChangeParts, 'stream' | 'toucher'>) {}

  /** Content is changed. */
  drop(volume: Volume, request: Request, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0) return
    const { mode, gid } = this.#stat
    if ((mode & SPECIAL_BITS) === 0) {
      node.privileged = false
      return
    }
    // Set-group-id without execute for the group stays for its members, and counts as soon as an ACL or chmod adds that.
    const losesGroup = (mode & 0o0010) !== 0 || !isInGroup(request, gid)
    const kept = mode & ~(0o4000 | (losesGroup ? 0o2000 : 0))
    node.privileged = (kept & SPECIAL_BITS) !== 0
    if (kept === mode || (mode & MODE.TYPE) !== MODE.FILE) return
    this.parts.toucher.meta(volume.table, node)
    if (fchmod(fd, kept & 0o7777) < 0) return
    this.#sendMode(volume, node, kept)
  }

  /** An ACL was set by somebody who is not in the file's group. */
  dropGroup(volume: Volume, node: Node, fd: number): void {
    if (this.#stat.ofDescriptor(fd) < 0 || (this.#stat.mode & 0o2000) === 0) return
    const kept = this.#stat.mode & 0o7777 & ~0o2000
    if (fchmod(fd, kept) >= 0) this.#sendMode(volume, node, kept)
  }

  /** An op of our own making: nobody waits for its answer. */
  #sendMode(volume: Volume, node: Node, mode: number): void {
    const { stream } = this.parts
    if (!stream.concerns(volume, node)) return
    const change = { ...NO_ATTRIBUTES, valid: ATTRIBUTE.MODE, mode: mode & 0o7777 }
    stream.ops.attributes(volume.index, node.id, change)
    stream.unanswered()
  }
}
