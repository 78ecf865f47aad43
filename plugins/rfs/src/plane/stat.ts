/** What statx tells of a file, in a buffer that is used again and again. */
import type { Changed } from './journal/gaps.js'
import {
  type Address,
  AT,
  EMPTY,
  STATX_BASIC,
  STATX_SIZE,
  addressOf,
  makedev,
  statx,
} from './libc.js'

/** When the file that a buffer shows was changed: its content, its attributes or its names. */
export function changedOf({ ctimeSeconds, ctimeNanos }: StatBuffer): Changed {
  return { seconds: ctimeSeconds, nanos: ctimeNanos }
}

/** A reusable buffer for statx with named fields. Nothing is allocated by filling or reading it. */
export class StatBuffer {
  readonly bytes = Buffer.alloc(STATX_SIZE)
  readonly #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, STATX_SIZE)
  readonly address = addressOf(this.bytes)

  /** The file behind a descriptor (also O_PATH). Returns 0 or -errno. */
  ofDescriptor(fd: number): number {
    return statx(fd, EMPTY, AT.EMPTY_PATH | AT.SYMLINK_NOFOLLOW, STATX_BASIC, this.address)
  }
  /** A name in a directory; a symbolic link is not followed. Returns 0 or -errno. */
  ofName(dir: number, name: Address): number {
    return statx(dir, name, AT.SYMLINK_NOFOLLOW, STATX_BASIC, this.address)
  }
  get links(): number {
    return this.#view.getUint32(16, true)
  }
  get uid(): number {
    return this.#view.getUint32(20, true)
  }
  get gid(): number {
    return this.#view.getUint32(24, true)
  }
  get mode(): number {
    return this.#view.getUint16(28, true)
  }
  /** Exact below 2^53; file systems that number inodes beyond are refused at mount. */
  get inode(): number {
    return this.#u64(32)
  }
  get size(): number {
    return this.#u64(40)
  }
  /** Of 512 bytes. */
  get blocks(): number {
    return this.#u64(48)
  }
  get atimeSeconds(): number {
    return this.#i64(64)
  }
  get atimeNanos(): number {
    return this.#view.getUint32(72, true)
  }
  get ctimeSeconds(): number {
    return this.#i64(96)
  }
  get ctimeNanos(): number {
    return this.#view.getUint32(104, true)
  }
  get mtimeSeconds(): number {
    return this.#i64(112)
  }
  get mtimeNanos(): number {
    return this.#view.getUint32(120, true)
  }
  get rdevMajor(): number {
    return this.#view.getUint32(128, true)
  }
  get rdevMinor(): number {
    return this.#view.getUint32(132, true)
  }
  /** As mknod takes it. */
  get rdev(): number {
    return makedev(this.rdevMajor, this.rdevMinor)
  }
  /** Identifies the file system. */
  get device(): number {
    return makedev(this.#view.getUint32(136, true), this.#view.getUint32(140, true))
  }
  #u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true)
  }
  #i64(at: number): number {
    return this.#view.getInt32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true)
  }
}
