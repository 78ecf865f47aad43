/** What the handlers of changes share: the parts they work with, and how a change is answered. */
import { OP } from '../fuse/abi.js'
import type { Reply } from '../fuse/reply.js'
import type { Request } from '../fuse/request.js'
import { E } from '../libc.js'
import type { Rights } from '../rights.js'
import type { Toucher } from '../touch.js'
import type { Volume } from '../volume.js'
import type { Stream } from './stream.js'
import type { Succession } from './succession.js'
import type { Syncs } from './syncs.js'

/** What the handlers work with; one set for all volumes. */
export interface ChangeParts {
  readonly reply: Reply
  readonly stream: Stream
  readonly toucher: Toucher
  readonly rights: Rights
  readonly syncs: Syncs
  readonly succession: Succession
  /** This request can't be sent to the live follower: end the session, and keep the request until that is sorted out. */
  readonly giveUp: (volume: Volume, request: Request, cause: string) => void
  /** This tree differs now from the live follower's in a way that no op tells: end the session, the next copy finds it. */
  readonly diverged: (cause: string) => void
}

/** Can't be done before it is known whether a follower must have it. */
export function isChange(opcode: number): boolean {
  switch (opcode) {
    case OP.WRITE:
    case OP.SETATTR:
    case OP.SYMLINK:
    case OP.MKNOD:
    case OP.MKDIR:
    case OP.UNLINK:
    case OP.RMDIR:
    case OP.RENAME:
    case OP.RENAME2:
    case OP.LINK:
    case OP.SETXATTR:
    case OP.REMOVEXATTR:
    case OP.FALLOCATE:
    case OP.TMPFILE:
    case OP.FSYNC:
    case OP.FSYNCDIR:
      return true
    default:
      return false
  }
}

/** The reply is built: give it now, or when the follower has applied the op that was just written. */
export function answer(
  { stream, reply }: ChangeParts,
  volume: Volume,
  sent: boolean,
  weight = 0,
): 0 {
  if (sent) stream.answerLater(volume, reply, weight)
  else reply.send(volume.fuse)
  return 0
}

/** Allocating or cutting that ends with one of these errors was refused before anything was done. */
export function isRefused(error: number): boolean {
  return REFUSALS.includes(-error)
}

const REFUSALS: readonly number[] = [E.OPNOTSUPP, E.INVAL, E.PERM, E.BADF, E.FBIG, E.NODEV, E.NOSYS]
