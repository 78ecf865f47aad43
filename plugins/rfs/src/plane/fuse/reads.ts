/** Requests that change nothing: answered at once from the tree beneath, whatever the follower does. */
import {
  E,
  MODE,
  RWF_NOWAIT,
  addressOf,
  fgetxattr,
  fstatfs,
  getdents64,
  getxattr,
  listxattr,
  lseek,
  pread,
  preadv2,
  readlinkat,
  selfPath,
  cstring,
} from '../libc.js'
import { StatBuffer } from '../stat.js'
import type { Node } from '../nodes.js'
import type { Volume } from '../volume.js'
import { JOB } from '../workers/jobs.js'
import type { WorkerPool } from '../workers/pool.js'
import { MAX_WRITE, OP, SIZE } from './abi.js'
import type { Reply } from './reply.js'
import type { Request } from './request.js'

const DENTS_BYTES = 64 * 1024
const EMPTY = cstring('')
const STATFS_BYTES = 120
const XATTR_BYTES = 65_536

export class Reads {
  readonly #stat = new StatBuffer()
  readonly #dents = Buffer.alloc(DENTS_BYTES)
  readonly #dentsView = new DataView(this.#dents.buffer, this.#dents.byteOffset, DENTS_BYTES)
  readonly #dentsAddress = addressOf(this.#dents)
  readonly #vector = new BigUint64Array(2)
  readonly #vectorAddress = addressOf(new Uint8Array(this.#vector.buffer))
  readonly #names = Buffer.alloc(XATTR_BYTES)
  readonly #statfs = Buffer.alloc(STATFS_BYTES)

  constructor(
    readonly reply: Reply,
    readonly pool: WorkerPool,
  ) {}

  /** True: the request was one of these and is answered (or a worker does it). */
  handle(volume: Volume, request: Request): boolean {
    const node = volume.table.get(request.node)
    switch (request.opcode) {
      case OP.LOOKUP:
        return this.#lookup(volume, request, node)
      case OP.GETATTR:
        return this.#attributes(volume, request, node)
      case OP.READ:
        return this.#read(volume, request, node)
      case OP.READDIR:
        return this.#list(volume, request, node, false)
      case OP.READDIRPLUS:
        return this.#list(volume, request, node, true)
      case OP.READLINK:
        return this.#readlink(volume, request, node)
      case OP.GETXATTR:
        return this.#xattr(volume, request, node)
      case OP.LISTXATTR:
        return this.#xattrNames(volume, request, node)
      case OP.STATFS:
        return this.#statistics(volume, request)
      case OP.LSEEK:
        return this.#seek(volume, request, node)
      default:
        return false
    }
  }

  #error(volume: Volume, request: Request, error: number): true {
    this.reply.error(request, error)
    this.reply.send(volume.fuse)
    return true
  }

  #lookup(volume: Volume, request: Request, parent: Node | undefined): true {
    const { reply } = this
    const directory = parent === undefined ? -E.STALE : volume.table.descriptor(parent)
    if (parent === undefined || directory < 0) return this.#error(volume, request, directory)
    const found = this.#stat.ofName(directory, request.addressAt(0))
    if (found === -E.NOENT) {
      reply.negative(request)
    } else if (found < 0) {
      reply.error(request, found)
    } else if (this.#stat.device !== volume.device) {
      // Something is mounted beneath the root: it is not replicated, so it is not shown.
      reply.error(request, -E.XDEV)
    } else {
      reply.entry(request, this.#stat, this.#known(volume, parent, request.text(0)))
    }
    reply.send(volume.fuse)
    return true
  }

  /** The kernel is about to be told about this name: count it. Returns the node id. */
  #known(volume: Volume, parent: Node, name: string): number {
    const { inode, mode } = this.#stat
    const node = volume.table.obtain(inode, mode & MODE.TYPE)
    volume.table.addName(node, parent, name)
    node.lookups++
    return inode
  }

  #attributes(volume: Volume, request: Request, node: Node | undefined): true {
    const found = node === undefined ? -E.STALE : volume.table.stat(node, this.#stat)
    if (found < 0) return this.#error(volume, request, found)
    this.reply.attributes(request, this.#stat)
    this.reply.send(volume.fuse)
    return true
  }

  #read(volume: Volume, request: Request, node: Node | undefined): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (node === undefined || fd < 0) return this.#error(volume, request, fd)
    const offset = request.u64(8)
    const size = Math.min(request.u32(16), MAX_WRITE)
    const got = this.#readNow(volume, fd, size, offset)
    if (got === -E.AGAIN) {
      this.#readLater(volume, request, node, fd, size, offset)
      return true
    }
    if (got < 0) return this.#error(volume, request, got)
    this.reply.head(request, got)
    this.reply.send(volume.fuse)
    return true
  }

  /** -EAGAIN: (a part of) it is not in memory. */
  #readNow(volume: Volume, fd: number, size: number, offset: number): number {
    if (!volume.canReadNoWait) return pread(fd, this.reply.body, size, offset)
    this.#vector[0] = BigInt(this.reply.body)
    this.#vector[1] = BigInt(size)
    const got = preadv2(fd, this.#vectorAddress, 1, offset, RWF_NOWAIT)
    if (got === -E.OPNOTSUPP) {
      volume.canReadNoWait = false
      return pread(fd, this.reply.body, size, offset)
    }
    const short = got >= 0 && got < size
    // Less than was asked for: the end of the file, or the end of what is in memory?
    if (short && this.#stat.ofDescriptor(fd) === 0 && offset + got < this.#stat.size)
      return -E.AGAIN
    return got
  }

  #readLater(
    volume: Volume,
    request: Request,
    node: Node,
    fd: number,
    size: number,
    offset: number,
  ): void {
    node.pins++
    this.pool.run({
      job: JOB.READ,
      fd,
      read: {
        fuse: volume.fuse,
        size,
        offset,
        uniqueLow: request.uniqueLow | 0,
        uniqueHigh: request.uniqueHigh | 0,
      },
      done: () => {
        volume.table.unpin(node)
      },
    })
  }

  #readlink(volume: Volume, request: Request, node: Node | undefined): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (fd < 0) return this.#error(volume, request, fd)
    const got = readlinkat(fd, EMPTY, this.reply.body, 4096)
    if (got < 0) return this.#error(volume, request, got)
    this.reply.head(request, got)
    this.reply.send(volume.fuse)
    return true
  }

  #xattr(volume: Volume, request: Request, node: Node | undefined): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (fd < 0) return this.#error(volume, request, fd)
    const size = Math.min(request.u32(0), XATTR_BYTES)
    const name = request.addressAt(8)
    let got = fgetxattr(fd, name, this.reply.body, size)
    // Opened with O_PATH: neither a file nor a directory.
    if (got === -E.BADF) got = getxattr(selfPath(fd), name, this.reply.body, size)
    return this.#sized(volume, request, size, got)
  }

  #xattrNames(volume: Volume, request: Request, node: Node | undefined): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (fd < 0) return this.#error(volume, request, fd)
    const size = Math.min(request.u32(0), XATTR_BYTES)
    const got = listxattr(selfPath(fd), this.#names, XATTR_BYTES)
    if (got < 0) return this.#error(volume, request, got)
    const length = request.uid === 0 ? got : hideTrusted(this.#names, got)
    if (size !== 0 && size < length) return this.#error(volume, request, -E.RANGE)
    this.#names.copy(this.reply.bytes, SIZE.OUT_HEADER, 0, length)
    return this.#sized(volume, request, size, length)
  }

  /** Extended attributes are asked for twice: first how large (`size` 0), then the bytes. */
  #sized(volume: Volume, request: Request, size: number, got: number): true {
    const { reply } = this
    if (got < 0) return this.#error(volume, request, got)
    if (size === 0) {
      reply.view.setUint32(SIZE.OUT_HEADER, got, true)
      reply.view.setUint32(SIZE.OUT_HEADER + 4, 0, true)
    }
    reply.head(request, size === 0 ? 8 : got)
    reply.send(volume.fuse)
    return true
  }

  #statistics(volume: Volume, request: Request): true {
    const got = fstatfs(volume.root, this.#statfs)
    if (got < 0) return this.#error(volume, request, got)
    const { bytes, view } = this.reply
    const at = SIZE.OUT_HEADER
    bytes.fill(0, at, at + SIZE.STATFS_OUT)
    // Blocks, free, available, files, free files: five numbers of 64 bits in the same order on both sides.
    this.#statfs.copy(bytes, at, 16, 56)
    view.setUint32(at + 40, this.#statfs.readUInt32LE(8), true)
    view.setUint32(at + 44, this.#statfs.readUInt32LE(64), true)
    view.setUint32(at + 48, this.#statfs.readUInt32LE(72), true)
    this.reply.head(request, SIZE.STATFS_OUT)
    this.reply.send(volume.fuse)
    return true
  }

  #seek(volume: Volume, request: Request, node: Node | undefined): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (fd < 0) return this.#error(volume, request, fd)
    const got = lseek(fd, request.u64(8), request.u32(16))
    if (got < 0) return this.#error(volume, request, got)
    this.reply.view.setBigInt64(SIZE.OUT_HEADER, BigInt(got), true)
    this.reply.head(request, 8)
    this.reply.send(volume.fuse)
    return true
  }

  /** Stateless: each request says where in the directory it goes on. */
  #list(volume: Volume, request: Request, node: Node | undefined, plus: boolean): true {
    const fd = node === undefined ? -E.STALE : volume.table.descriptor(node)
    if (node === undefined || fd < 0) return this.#error(volume, request, fd)
    const size = Math.min(request.u32(16), MAX_WRITE)
    // Positions are opaque 64-bit numbers (ext4: hashes), so they never become a double.
    const moved = lseek(fd, request.big(8), 0)
    if (moved < 0 && moved > -4096) return this.#error(volume, request, moved)
    // An entry is larger in the answer than in the directory: reading much more than fits would be thrown away.
    const wanted = Math.max(1024, Math.min(DENTS_BYTES, plus ? size / 4 : size))
    const got = getdents64(fd, this.#dentsAddress, Math.floor(wanted))
    if (got < 0) return this.#error(volume, request, got)
    const length = this.#entries(volume, node, got, size, plus)
    this.reply.head(request, length)
    this.reply.send(volume.fuse)
    return true
  }

  /** Turns directory entries into the kernel's; returns the bytes written. */
  #entries(volume: Volume, parent: Node, got: number, size: number, plus: boolean): number {
    const { view, bytes } = this.reply
    const dents = this.#dentsView
    let to = SIZE.OUT_HEADER
    const end = SIZE.OUT_HEADER + size
    for (let from = 0; from < got;) {
      const length = dents.getUint16(from + 16, true)
      const nameEnd = this.#dents.indexOf(0, from + 19)
      const nameBytes = nameEnd - from - 19
      const head = plus ? SIZE.ENTRY_OUT : 0
      const whole = head + ((SIZE.DIRENT + nameBytes + 7) & ~7)
      if (to + whole > end) break
      if (plus) this.#entryFor(volume, parent, to, from + 19, nameBytes)
      const at = to + head
      view.setBigUint64(at, dents.getBigUint64(from, true), true)
      view.setBigUint64(at + 8, dents.getBigUint64(from + 8, true), true)
      view.setUint32(at + 16, nameBytes, true)
      view.setUint32(at + 20, dents.getUint8(from + 18), true)
      this.#dents.copy(bytes, at + SIZE.DIRENT, from + 19, nameEnd)
      bytes.fill(0, at + SIZE.DIRENT + nameBytes, to + whole)
      to += whole
      from += length
    }
    return to - SIZE.OUT_HEADER
  }

  /** What a lookup of the name would say; node id 0 when the kernel shall look it up itself. */
  #entryFor(volume: Volume, parent: Node, to: number, nameAt: number, nameBytes: number): void {
    const { bytes } = this.reply
    const name = this.#dents.toString('latin1', nameAt, nameAt + nameBytes)
    const directory = volume.table.descriptor(parent)
    const skipped =
      name === '.' ||
      name === '..' ||
      directory < 0 ||
      this.#stat.ofName(directory, this.#dentsAddress + nameAt) < 0 ||
      this.#stat.device !== volume.device
    if (skipped) bytes.fill(0, to, to + SIZE.ENTRY_OUT)
    else this.reply.entryAt(to, this.#stat, this.#known(volume, parent, name))
  }
}

/** Names of `trusted.` are for the superuser; the file system beneath shows them because we are. Returns the new length. */
function hideTrusted(names: Buffer, length: number): number {
  let to = 0
  for (let from = 0; from < length;) {
    const end = names.indexOf(0, from) + 1
    if (!names.toString('latin1', from, end).startsWith('trusted.')) {
      names.copyWithin(to, from, end)
      to += end - from
    }
    from = end
  }
  return to
}
