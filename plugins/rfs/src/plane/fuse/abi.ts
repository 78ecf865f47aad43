/** Numbers and layouts of the kernel's FUSE protocol (linux/fuse.h, 7.31 and later, little endian). */

export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  SYNCFS: 50,
  TMPFILE: 51,
} as const

/** Flags of INIT; those from bit 32 on travel in a second word. */
export const INIT = {
  ASYNC_READ: 1,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  NO_OPEN_SUPPORT: 1 << 17,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  NO_OPENDIR_SUPPORT: 1 << 24,
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  INIT_EXT: 1 << 30,
} as const

/** In the second word. */
export const INIT2 = { HAS_RESEND: 1 << 7 } as const

/** Codes of messages to the kernel that answer nothing; they stand where answers have their error. */
export const NOTIFY = { CHANGED: 2, RESEND: 7 } as const

export const VERSION = { MAJOR: 7, MINOR_LEAST: 31, MINOR_MOST: 41 } as const

/** Bytes of a header of a request, of an answer, and of what follows in some of them. */
export const SIZE = {
  IN_HEADER: 40,
  OUT_HEADER: 16,
  WRITE_IN: 40,
  ATTR: 88,
  ENTRY_OUT: 128,
  ATTR_OUT: 104,
  OPEN_OUT: 16,
  INIT_OUT: 64,
  STATFS_OUT: 80,
  DIRENT: 24,
  CHANGED_OUT: 24,
} as const

export const MAX_WRITE = 1024 * 1024
/** A request is read into this: the payload of a write and the headers before it. */
export const REQUEST_BYTES = MAX_WRITE + 4096

export const FATTR = {
  MODE: 1,
  UID: 2,
  GID: 4,
  SIZE: 8,
  ATIME: 16,
  MTIME: 32,
  ATIME_NOW: 128,
  MTIME_NOW: 256,
  KILL_SUIDGID: 2048,
} as const

export const WRITE_KILL_SUIDGID = 4
export const SETXATTR_ACL_KILL_SGID = 1
export const FSYNC_DATA_ONLY = 1

/** How long the kernel may trust what it was told: nobody else changes the tree, so for ever in practice. */
export const VALID_SECONDS = 1_000_000
