/** The kernel's side of one mount: reads requests, agrees on the protocol, hands the rest on. */
import { HoldfastError } from '@holdfast/sdk'
import { E, POLL, errnoName, read } from '../libc.js'
import type { Watch } from '../loop.js'
import type { Volume } from '../volume.js'
import { INIT, INIT2, MAX_WRITE, NOTIFY, OP, REQUEST_BYTES, SIZE, VERSION } from './abi.js'
import type { Reply } from './reply.js'
import type { Request } from './request.js'

/** Requests that are read in one go before the loop looks elsewhere. */
const REQUESTS_AT_ONCE = 64
const BACKGROUND_MAX = 64
const READY_MS_MAX = 10_000
const MAX_PAGES = MAX_WRITE / 4096

const WANTED =
  INIT.ASYNC_READ |
  INIT.BIG_WRITES |
  INIT.DONT_MASK |
  INIT.DO_READDIRPLUS |
  INIT.READDIRPLUS_AUTO |
  INIT.ASYNC_DIO |
  INIT.NO_OPEN_SUPPORT |
  INIT.PARALLEL_DIROPS |
  INIT.POSIX_ACL |
  INIT.MAX_PAGES |
  INIT.CACHE_SYMLINKS |
  INIT.NO_OPENDIR_SUPPORT |
  INIT.HANDLE_KILLPRIV_V2 |
  INIT.SETXATTR_EXT |
  INIT.INIT_EXT

/** Without these the kernel would behave in ways that this program does not handle. */
const NEEDED = INIT.NO_OPEN_SUPPORT | INIT.NO_OPENDIR_SUPPORT | INIT.MAX_PAGES | INIT.DONT_MASK

export interface SessionParts {
  readonly request: Request
  readonly reply: Reply
  /** A request that is not about the session itself. */
  readonly onRequest: (volume: Volume, request: Request) => void
  /** The mount is gone (unmounted or aborted), with the reason when it was not in order. */
  readonly onEnded: (volume: Volume, cause: string | undefined) => void
  /** May further requests be read now? */
  readonly mayRead: () => boolean
}

export class FuseSession implements Watch {
  wants: number = POLL.IN
  /** The kernel has agreed on the protocol: the mount answers. */
  ready = false
  /** This kernel can give requests again that a data plane had read and did not answer. */
  canResend = false
  /** The kernel has ended it. */
  over = false

  constructor(
    readonly volume: Volume,
    readonly parts: SessionParts,
  ) {}

  get fd(): number {
    return this.volume.fuse
  }

  /** Throws E_RFS_MOUNT when the kernel does not agree within a written time. The loop runs meanwhile. */
  async untilReady(): Promise<void> {
    const until = performance.now() + READY_MS_MAX
    while (!this.ready) {
      if (performance.now() > until || this.over) {
        const { directory } = this.volume
        throw new HoldfastError('E_RFS_MOUNT', `${directory}: the kernel did not answer`)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Goes on with a connection on which another process agreed: what that one had read comes again. Throws E_RFS_MOUNT. */
  takeOver(): void {
    const { reply, request } = this.parts
    request.uniqueLow = 0
    request.uniqueHigh = 0
    reply.head(request, 0, NOTIFY.RESEND)
    const sent = reply.send(this.fd)
    if (sent < 0) {
      const { directory } = this.volume
      throw new HoldfastError('E_RFS_MOUNT', `${directory} can't be taken over: ${errnoName(sent)}`)
    }
    this.ready = true
  }

  onReady(): void {
    const { request, mayRead } = this.parts
    for (let count = 0; count < REQUESTS_AT_ONCE && mayRead(); count++) {
      const got = read(this.fd, request.address, REQUEST_BYTES)
      if (got > 0) {
        if (request.parse(got)) this.#handle()
        continue
      }
      // ENOENT: the request was given up while it was read. EINTR: nothing happened.
      if (got === -E.NOENT || got === -E.INTR) continue
      if (got !== -E.AGAIN) this.#ended(got)
      return
    }
  }

  #ended(error: number): void {
    this.wants = 0
    this.over = true
    const unmounted = error === -E.NODEV || error === 0
    this.parts.onEnded(this.volume, unmounted ? undefined : errnoName(error))
  }

  #handle(): void {
    const { request, reply, onRequest } = this.parts
    const { table } = this.volume
    switch (request.opcode) {
      case OP.INIT:
        this.#init()
        return
      case OP.FORGET: {
        const node = table.get(request.node)
        if (node !== undefined) table.forget(node, request.u64(0))
        return
      }
      case OP.BATCH_FORGET:
        this.#forgetMany()
        return
      case OP.INTERRUPT:
        // Every answer comes as soon as it may; giving EINTR instead would break programs that use timers.
        return
      case OP.DESTROY:
      case OP.RELEASE:
      case OP.RELEASEDIR:
        reply.error(request, 0)
        reply.send(this.fd)
        return
      default:
        onRequest(this.volume, request)
    }
  }

  #forgetMany(): void {
    const { request } = this.parts
    const { table } = this.volume
    const count = Math.min(request.u32(0), Math.floor((request.length - SIZE.IN_HEADER - 8) / 16))
    for (let index = 0; index < count; index++) {
      const node = table.get(request.u64(8 + index * 16))
      if (node !== undefined) table.forget(node, request.u64(16 + index * 16))
    }
  }

  #init(): void {
    const { request, reply } = this.parts
    const major = request.u32(0)
    const minor = request.u32(4)
    const offered = request.u32(12)
    const fits = major === VERSION.MAJOR && minor >= VERSION.MINOR_LEAST
    if (!fits || (offered & NEEDED) !== NEEDED) {
      reply.error(request, -E.PROTO)
      reply.send(this.fd)
      this.parts.onEnded(this.volume, `the kernel speaks FUSE ${major}.${minor} (7.31 is needed)`)
      return
    }
    const isLong = (offered & INIT.INIT_EXT) !== 0
    this.canResend = isLong && (request.u32(16) & INIT2.HAS_RESEND) !== 0
    const { view, bytes } = reply
    const at = SIZE.OUT_HEADER
    bytes.fill(0, at, at + SIZE.INIT_OUT)
    view.setUint32(at, VERSION.MAJOR, true)
    view.setUint32(at + 4, Math.min(minor, VERSION.MINOR_MOST), true)
    view.setUint32(at + 8, request.u32(8), true)
    view.setUint32(at + 12, (WANTED & offered) >>> 0, true)
    view.setUint16(at + 16, BACKGROUND_MAX, true)
    view.setUint16(at + 18, BACKGROUND_MAX * 0.75, true)
    view.setUint32(at + 20, MAX_WRITE, true)
    view.setUint32(at + 24, 1, true)
    view.setUint16(at + 28, MAX_PAGES, true)
    reply.head(request, SIZE.INIT_OUT)
    reply.send(this.fd)
    this.ready = true
  }
}
