/**
 * The system calls that Node does not have, or that must not go through its event loop: the only file that
 * imports koffi. Every function returns what the call returns, or -errno; none throws, none allocates.
 */
import fs from 'node:fs'
import os from 'node:os'
import koffi from 'koffi'

/**
 * Memory that a call reads or writes: a number (see `addressOf`) on hot paths, else the buffer itself.
 * Names and paths are NUL-terminated bytes (see `cstring`), never JavaScript strings: a name may be any bytes.
 */
export type Address = number | Uint8Array

type Argument = number | bigint | Uint8Array

const library = koffi.load('libc.so.6')
/** What the program `node` itself exports, for addons: its OpenSSL above all. */
const program = koffi.load(null)

/** Declares one function of libc; its result -1 becomes -errno. */
// The type parameter is the signature: it can't be inferred from the definition, which is text.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
function call<A extends readonly Argument[]>(definition: string): (...args: A) => number {
  // koffi's functions are untyped by nature; the definition in C beside each use is the type.
  const raw: (...args: A) => number = library.func(definition)
  return (...args: A) => {
    const result = raw(...args)
    return result === -1 ? -koffi.errno() : result
  }
}

/** Declares one function of the program `node`; its result is given as it is. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function ofNode<A extends readonly number[]>(definition: string): (...args: A) => number {
  return program.func(definition)
}

/** The address of a buffer's memory. The caller keeps the buffer alive as long as the number is used. */
export function addressOf(buffer: Uint8Array): number {
  return Number(koffi.address(buffer))
}

/** Bytes (or a byte string: latin1, one character a byte) with the NUL that the kernel expects. */
export function cstring(text: string | Uint8Array): Buffer {
  if (typeof text === 'string') return Buffer.from(text + '\0', 'latin1')
  const copy = Buffer.alloc(text.length + 1)
  copy.set(text)
  return copy
}

const { errno } = os.constants
/** Error numbers used here; the names of the platform. */
export const E = {
  PERM: errno.EPERM,
  NOENT: errno.ENOENT,
  INTR: errno.EINTR,
  IO: errno.EIO,
  BADF: errno.EBADF,
  AGAIN: errno.EAGAIN,
  NOMEM: errno.ENOMEM,
  ACCES: errno.EACCES,
  BUSY: errno.EBUSY,
  EXIST: errno.EEXIST,
  XDEV: errno.EXDEV,
  NODEV: errno.ENODEV,
  NOTDIR: errno.ENOTDIR,
  ISDIR: errno.EISDIR,
  INVAL: errno.EINVAL,
  MFILE: errno.EMFILE,
  NFILE: errno.ENFILE,
  NXIO: errno.ENXIO,
  FBIG: errno.EFBIG,
  NOSPC: errno.ENOSPC,
  ROFS: errno.EROFS,
  MLINK: errno.EMLINK,
  PIPE: errno.EPIPE,
  RANGE: errno.ERANGE,
  NAMETOOLONG: errno.ENAMETOOLONG,
  NOSYS: errno.ENOSYS,
  NOTEMPTY: errno.ENOTEMPTY,
  LOOP: errno.ELOOP,
  NODATA: errno.ENODATA,
  PROTO: errno.EPROTO,
  OVERFLOW: errno.EOVERFLOW,
  OPNOTSUPP: errno.EOPNOTSUPP,
  CONNRESET: errno.ECONNRESET,
  NOTCONN: errno.ENOTCONN,
  TIMEDOUT: errno.ETIMEDOUT,
  INPROGRESS: errno.EINPROGRESS,
  STALE: errno.ESTALE,
} as const

/** `ENOSPC` for 28 (or -28). */
export function errnoName(number: number): string {
  const wanted = Math.abs(number)
  for (const [name, value] of Object.entries(errno)) if (value === wanted) return name
  return `errno ${wanted}`
}

/** Flags of open: those that differ between architectures come from Node. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: fs.constants.O_CREAT,
  EXCL: fs.constants.O_EXCL,
  TRUNC: fs.constants.O_TRUNC,
  APPEND: fs.constants.O_APPEND,
  NONBLOCK: fs.constants.O_NONBLOCK,
  DIRECT: fs.constants.O_DIRECT,
  DIRECTORY: fs.constants.O_DIRECTORY,
  NOFOLLOW: fs.constants.O_NOFOLLOW,
  NOATIME: fs.constants.O_NOATIME,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  TMPFILE: 0o20000000 | fs.constants.O_DIRECTORY,
} as const

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  EMPTY_PATH: 0x1000,
  STATX_DONT_SYNC: 0x4000,
} as const

export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const
export const FALLOC = { KEEP_SIZE: 1, PUNCH_HOLE: 2, COLLAPSE: 8, ZERO: 16, INSERT: 32 } as const
export const XATTR = { CREATE: 1, REPLACE: 2 } as const
export const UTIME = { NOW: 0x3fffffff, OMIT: 0x3ffffffe } as const
export const POLL = { IN: 1, OUT: 4, ERR: 8, HUP: 16, NVAL: 32 } as const
/** Do not wait for the disk (preadv2). */
export const RWF_NOWAIT = 8
export const MODE = {
  TYPE: 0o170000,
  SOCKET: 0o140000,
  LINK: 0o120000,
  FILE: 0o100000,
  BLOCK: 0o060000,
  DIRECTORY: 0o040000,
  CHARACTER: 0o020000,
  FIFO: 0o010000,
} as const
export const SOCKET = {
  UNIX: 1,
  INET: 2,
  INET6: 10,
  STREAM: 1,
  NONBLOCK: fs.constants.O_NONBLOCK,
  CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  REUSEADDR: 2,
  ERROR: 4,
  /** Beyond the limit of the system: needs the right to administer the network, which we have. */
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_CONGESTION: 13,
  NOSIGNAL: 0x4000,
  SHUT_RDWR: 2,
  SCM_RIGHTS: 1,
  CMSG_CLOEXEC: 0x4000_0000,
} as const

export const EMPTY = cstring('')

// Files by name, relative to a directory descriptor
export const openat = call<[dir: number, name: Address, flags: number, mode: number]>(
  'int openat(int dir, void *name, int flags, uint32_t mode)',
)
export const mkdirat = call<[dir: number, name: Address, mode: number]>(
  'int mkdirat(int dir, void *name, uint32_t mode)',
)
export const mknodat = call<[dir: number, name: Address, mode: number, device: number]>(
  'int mknodat(int dir, void *name, uint32_t mode, uint64_t device)',
)
export const symlinkat = call<[target: Address, dir: number, name: Address]>(
  'int symlinkat(void *target, int dir, void *name)',
)
export const linkat = call<
  [fromDir: number, from: Address, toDir: number, to: Address, flags: number]
>('int linkat(int fromDir, void *from, int toDir, void *to, int flags)')
export const unlinkat = call<[dir: number, name: Address, flags: number]>(
  'int unlinkat(int dir, void *name, int flags)',
)
export const renameat2 = call<
  [fromDir: number, from: Address, toDir: number, to: Address, flags: number]
>('int renameat2(int fromDir, void *from, int toDir, void *to, uint32_t flags)')
export const readlinkat = call<[dir: number, name: Address, buffer: Address, size: number]>(
  'int64_t readlinkat(int dir, void *name, void *buffer, uint64_t size)',
)
export const fchmodat = call<[dir: number, name: Address, mode: number, flags: number]>(
  'int fchmodat(int dir, void *name, uint32_t mode, int flags)',
)
export const fchownat = call<[dir: number, name: Address, uid: number, gid: number, flags: number]>(
  'int fchownat(int dir, void *name, uint32_t uid, uint32_t gid, int flags)',
)
/** `times`: two timespecs (access, modification), 32 bytes; see UTIME for the special nanoseconds. */
export const utimensat = call<[dir: number, name: Address, times: Address, flags: number]>(
  'int utimensat(int dir, void *name, void *times, int flags)',
)
export const statx = call<[dir: number, name: Address, flags: number, mask: number, out: Address]>(
  'int statx(int dir, void *name, int flags, uint32_t mask, void *out)',
)

// Files by descriptor
export const close = call<[fd: number]>('int close(int fd)')
export const read = call<[fd: number, buffer: Address, size: number]>(
  'int64_t read(int fd, void *buffer, uint64_t size)',
)
export const write = call<[fd: number, buffer: Address, size: number]>(
  'int64_t write(int fd, void *buffer, uint64_t size)',
)
export const pread = call<[fd: number, buffer: Address, size: number, offset: number]>(
  'int64_t pread(int fd, void *buffer, uint64_t size, int64_t offset)',
)
export const pwrite = call<[fd: number, buffer: Address, size: number, offset: number]>(
  'int64_t pwrite(int fd, void *buffer, uint64_t size, int64_t offset)',
)
/** `vectors`: (address, size) pairs of 64 bits each. */
export const writev = call<[fd: number, vectors: Address, count: number]>(
  'int64_t writev(int fd, void *vectors, int count)',
)
export const preadv2 = call<
  [fd: number, vectors: Address, count: number, offset: number, flags: number]
>('int64_t preadv2(int fd, void *vectors, int count, int64_t offset, int flags)')
export const fchmod = call<[fd: number, mode: number]>('int fchmod(int fd, uint32_t mode)')
export const fchown = call<[fd: number, uid: number, gid: number]>(
  'int fchown(int fd, uint32_t uid, uint32_t gid)',
)
export const ftruncate = call<[fd: number, size: number]>('int ftruncate(int fd, int64_t size)')
export const fallocate = call<[fd: number, mode: number, offset: number, length: number]>(
  'int fallocate(int fd, int mode, int64_t offset, int64_t length)',
)
/** Positions in a directory are opaque 64-bit numbers: a bigint. Beyond 2^53 the result is not exact. */
export const lseek = call<[fd: number, offset: number | bigint, whence: number]>(
  'int64_t lseek(int fd, int64_t offset, int whence)',
)
/** Begins to read from the disk; returns before it is there. */
export const readahead = call<[fd: number, offset: number, length: number]>(
  'int64_t readahead(int fd, int64_t offset, uint64_t count)',
)
export const fsync = call<[fd: number]>('int fsync(int fd)')
export const fdatasync = call<[fd: number]>('int fdatasync(int fd)')
export const syncfs = call<[fd: number]>('int syncfs(int fd)')
export const getdents64 = call<[fd: number, buffer: Address, size: number]>(
  'int64_t getdents64(int fd, void *buffer, uint64_t size)',
)
/** Fills a `struct statfs` (120 bytes on 64-bit Linux). */
export const fstatfs = call<[fd: number, out: Address]>('int fstatfs(int fd, void *out)')

/** `times` as for utimensat. */
export const futimens = call<[fd: number, times: Address]>('int futimens(int fd, void *times)')
export const fgetxattr = call<[fd: number, name: Address, value: Address, size: number]>(
  'int64_t fgetxattr(int fd, void *name, void *value, uint64_t size)',
)

// Extended attributes. The path is usually /proc/self/fd/N (see `selfPath`): it also reaches what O_PATH opened.
export const getxattr = call<[path: Address, name: Address, value: Address, size: number]>(
  'int64_t getxattr(void *path, void *name, void *value, uint64_t size)',
)
export const setxattr = call<
  [path: Address, name: Address, value: Address, size: number, flags: number]
>('int setxattr(void *path, void *name, void *value, uint64_t size, int flags)')
export const listxattr = call<[path: Address, list: Address, size: number]>(
  'int64_t listxattr(void *path, void *list, uint64_t size)',
)
/** Not of a descriptor of O_PATH: -EBADF. */
export const flistxattr = call<[fd: number, list: Address, size: number]>(
  'int64_t flistxattr(int fd, void *list, uint64_t size)',
)
export const removexattr = call<[path: Address, name: Address]>(
  'int removexattr(void *path, void *name)',
)

// Waiting and sockets
/** `fds`: structs pollfd of 8 bytes (i32 fd, i16 events, i16 revents). */
export const poll = call<[fds: Address, count: number, timeoutMs: number]>(
  'int poll(void *fds, uint64_t count, int timeoutMs)',
)
export const eventfd = call<[initial: number, flags: number]>(
  'int eventfd(uint32_t initial, int flags)',
)
export const socket = call<[family: number, type: number, protocol: number]>(
  'int socket(int family, int type, int protocol)',
)
export const madvise = call<[address: number, length: number, advice: number]>(
  'int madvise(uintptr_t address, size_t length, int advice)',
)
export const MADV_DONTFORK = 10
export const socketpair = call<[family: number, type: number, protocol: number, pair: Address]>(
  'int socketpair(int family, int type, int protocol, void *pair)',
)
export const bind = call<[fd: number, address: Address, size: number]>(
  'int bind(int fd, void *address, uint32_t size)',
)
export const listen = call<[fd: number, backlog: number]>('int listen(int fd, int backlog)')
export const accept4 = call<[fd: number, address: Address, size: Address, flags: number]>(
  'int accept4(int fd, void *address, void *size, int flags)',
)
export const connect = call<[fd: number, address: Address, size: number]>(
  'int connect(int fd, void *address, uint32_t size)',
)
export const getsockname = call<[fd: number, address: Address, size: Address]>(
  'int getsockname(int fd, void *address, void *size)',
)
export const getsockopt = call<
  [fd: number, level: number, name: number, value: Address, size: Address]
>('int getsockopt(int fd, int level, int name, void *value, void *size)')
export const setsockopt = call<
  [fd: number, level: number, name: number, value: Address, size: number]
>('int setsockopt(int fd, int level, int name, void *value, uint32_t size)')
export const send = call<[fd: number, buffer: Address, size: number, flags: number]>(
  'int64_t send(int fd, void *buffer, uint64_t size, int flags)',
)
export const recv = call<[fd: number, buffer: Address, size: number, flags: number]>(
  'int64_t recv(int fd, void *buffer, uint64_t size, int flags)',
)
/** `header`: struct msghdr. */
export const sendmsg = call<[fd: number, header: Address, flags: number]>(
  'int64_t sendmsg(int fd, void *header, int flags)',
)
export const recvmsg = call<[fd: number, header: Address, flags: number]>(
  'int64_t recvmsg(int fd, void *header, int flags)',
)
/** `how`: SOCKET.SHUT_RDWR. */
export const shutdown = call<[fd: number, how: number]>('int shutdown(int fd, int how)')

// The process
/** Sets the umask of the process, returns the old one. */
export const umask = call<[mask: number]>('uint32_t umask(uint32_t mask)')
/** `limits`: two u64 (soft, hard); `old` likewise, 0 when not wanted. */
export const prlimit = call<[pid: number, resource: number, limits: Address, old: Address]>(
  'int prlimit(int pid, int resource, void *limits, void *old)',
)
export const RLIMIT_NOFILE = 7
/** Rights of this thread alone; `header` and `sets` as for capset(2), version 3. */
export const capget = call<[header: Address, sets: Address]>('int capget(void *header, void *sets)')
export const capset = call<[header: Address, sets: Address]>('int capset(void *header, void *sets)')
/** Of this thread alone: the user for whom files are reached and space is allocated. Returns the one before. */
export const setfsuid = call<[user: number]>('int setfsuid(uint32_t user)')
const rawSyscall = call<[number: number, dir: number, name: Address, how: Address, size: number]>(
  'int64_t syscall(int64_t number, int64_t dir, void *name, void *how, uint64_t size)',
)

export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8 } as const
const SYS_OPENAT2 = 437
const openHow = Buffer.alloc(24)

/** openat2: like openat, and the path can't leave `dir` nor pass a link, as `resolve` says. */
export function openat2(
  dir: number,
  name: Address,
  flags: number,
  mode: number,
  resolve: number,
): number {
  openHow.writeBigUInt64LE(BigInt(flags), 0)
  openHow.writeBigUInt64LE(BigInt(mode), 8)
  openHow.writeBigUInt64LE(BigInt(resolve), 16)
  return rawSyscall(SYS_OPENAT2, dir, name, openHow, 24)
}

const SYS_PIDFD_OPEN = 434
const SYS_PIDFD_GETFD = 438

/** A descriptor that stands for the process. */
export function pidfdOpen(pid: number): number {
  return rawSyscall(SYS_PIDFD_OPEN, pid, 0, 0, 0)
}

/** `target` is the same open file as `fd` from now on; what it was is closed. No moment without either. */
export const dup3 = call<[fd: number, target: number, flags: number]>(
  'int dup3(int fd, int target, int flags)',
)

/** A duplicate of another process's descriptor: the same open file. */
export function pidfdGetfd(process: number, fd: number): number {
  return rawSyscall(SYS_PIDFD_GETFD, process, fd, 0, 0)
}

/** `/proc/self/fd/N`, NUL-terminated: the file behind a descriptor, also of one opened with O_PATH. */
export function selfPath(fd: number): Buffer {
  return Buffer.from(`/proc/self/fd/${fd}\0`, 'latin1')
}

/** What statx told; read with the accessors of `StatBuffer`. */
export const STATX_SIZE = 256
/** STATX_BASIC_STATS. */
export const STATX_BASIC = 0x7ff

/** The device number of libc for a major and a minor (both below 2^12 and 2^20 on real systems). */
export function makedev(major: number, minor: number): number {
  return (minor % 256) + major * 256 + Math.floor(minor / 256) * 0x10_0000
}
