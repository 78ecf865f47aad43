/**
 * Requests that change something: made in the tree beneath first; when that succeeded they are sent to the follower,
 * if one is live, and answered when it has applied them. What fails here is answered at once and concerns nobody else.
 */
import { OP } from '../fuse/abi.js'
import type { Request } from '../fuse/request.js'
import { E } from '../libc.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { AttributeChanges } from './attribute-changes.js'
import type { ChangeParts } from './change-parts.js'
import { FileChanges } from './file-changes.js'
import { NameChanges } from './name-changes.js'

export class Changes {
  readonly #files: FileChanges
  readonly #attributes: AttributeChanges
  readonly #names: NameChanges

  constructor(readonly parts: ChangeParts) {
    this.#files = new FileChanges(parts)
    this.#attributes = new AttributeChanges(parts)
    this.#names = new NameChanges(parts)
  }

  /** Only for what `isChange` says. */
  handle(volume: Volume, request: Request): void {
    this.parts.rights.actFor(request.uid)
    const node = volume.table.get(request.node)
    const error = node === undefined ? -E.STALE : this.#dispatch(volume, request, node)
    if (error >= 0) return
    this.parts.reply.error(request, error)
    this.parts.reply.send(volume.fuse)
  }

  #dispatch(volume: Volume, request: Request, node: Node): number {
    switch (request.opcode) {
      case OP.WRITE:
        return this.#files.write(volume, request, node)
      case OP.SETATTR:
        return this.#attributes.set(volume, request, node)
      case OP.MKNOD:
        return this.#names.makeNode(volume, request, node)
      case OP.MKDIR:
        return this.#names.makeDirectory(volume, request, node)
      case OP.SYMLINK:
        return this.#names.makeLink(volume, request, node)
      case OP.TMPFILE:
        return this.#names.makeUnnamed(volume, request, node)
      case OP.LINK:
        return this.#names.link(volume, request, node)
      case OP.UNLINK:
        return this.#names.remove(volume, request, node, false)
      case OP.RMDIR:
        return this.#names.remove(volume, request, node, true)
      case OP.RENAME:
        return this.#names.rename(volume, request, node, 8, 0)
      case OP.RENAME2:
        return this.#names.rename(volume, request, node, 16, request.u32(8))
      case OP.SETXATTR:
        return this.#attributes.setXattr(volume, request, node)
      case OP.REMOVEXATTR:
        return this.#attributes.removeXattr(volume, request, node)
      case OP.FALLOCATE:
        return this.#files.allocate(volume, request, node)
      default:
        return this.#files.sync(volume, request, node)
    }
  }
}
