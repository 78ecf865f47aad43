/** For the battery: one random operation of any kind on a directory, and its result as a line. */
import { readdirSync } from 'node:fs'
import {
  AT,
  FALLOC,
  MODE,
  O,
  RENAME,
  SEEK,
  UTIME,
  XATTR,
  close,
  cstring,
  fallocate,
  fchmod,
  fchmodat,
  fchown,
  fchownat,
  fdatasync,
  fsync,
  ftruncate,
  getxattr,
  linkat,
  listxattr,
  lseek,
  mkdirat,
  mknodat,
  openat,
  pread,
  pwrite,
  readlinkat,
  removexattr,
  renameat2,
  selfPath,
  setxattr,
  symlinkat,
  umask,
  unlinkat,
  utimensat,
  write,
} from './libc.js'
import { StatBuffer } from './stat.js'
import {
  aclOf,
  DIRECTORIES,
  MODES,
  NAMES,
  SIZES,
  randomFrom,
  show,
  sum,
} from './battery-values.fixture.js'

export class Battery {
  #random: (below: number) => number
  readonly #stat = new StatBuffer()
  readonly #data: Buffer
  readonly #open: number[] = []

  constructor(
    readonly root: number,
    /** What this program calls itself in the file that several of them append to. */
    readonly name: string,
    readonly seed: number,
  ) {
    this.#random = randomFrom(seed)
    this.#data = Buffer.alloc(2_000_000)
    for (let at = 0; at < this.#data.length; at += 4) {
      this.#data.writeUInt32LE(this.#random(2 ** 32), at)
    }
  }

  #one<T>(from: readonly T[]): T {
    const found = from[this.#random(from.length)]
    if (found === undefined) throw new Error('nothing to choose from')
    return found
  }

  #path(): Buffer {
    return cstring(this.#one(DIRECTORIES) + this.#one(NAMES))
  }

  /** A path with what the operation says about it afterwards. */
  #seen(result: number, path: Buffer): string {
    return `${show(result)} ${this.#look(path)}`
  }

  #look(path: Buffer): string {
    const found = this.#stat.ofName(this.root, path)
    if (found < 0) return show(found)
    const { mode, uid, gid, links, size, rdev } = this.#stat
    const shownSize = (mode & MODE.TYPE) === MODE.DIRECTORY ? '-' : size
    const shownLinks = (mode & MODE.TYPE) === MODE.DIRECTORY ? '-' : links
    return `${mode.toString(8)} ${uid}:${gid} links ${shownLinks} size ${shownSize} dev ${rdev}`
  }

  /** The same for the same number, whatever was done before: so some may be left out. */
  step(number: number): string {
    this.#random = randomFrom(Math.imul(this.seed, 1_000_003) + number)
    const [name, run] = this.#one(this.#steps)
    return `${name} ${run(number)}`
  }

  end(): void {
    for (const fd of this.#open.splice(0)) close(fd)
  }

  readonly #steps: readonly (readonly [string, (number: number) => string])[] = [
    ['mkdir', () => this.#mkdir()],
    ['mkdir', () => this.#mkdir()],
    ['create', () => this.#create()],
    ['create', () => this.#create()],
    ['write', () => this.#write()],
    ['write', () => this.#write()],
    ['writeOpen', () => this.#writeOpen()],
    ['readOpen', () => this.#readOpen()],
    ['closeOne', () => this.#closeOne()],
    ['unlink', () => this.#unlink()],
    ['rmdir', () => this.#rmdir()],
    ['rename', () => this.#rename()],
    ['rename', () => this.#rename()],
    ['link', () => this.#link()],
    ['symlink', () => this.#symlink()],
    ['readlink', () => this.#readlink()],
    ['mknod', () => this.#mknod()],
    ['chmod', () => this.#chmod()],
    ['chown', () => this.#chown()],
    ['utimens', () => this.#utimens()],
    ['truncate', () => this.#truncate()],
    ['fallocate', () => this.#allocate()],
    ['setxattr', () => this.#setXattr()],
    ['removexattr', () => this.#removeXattr()],
    ['listxattr', () => this.#listXattr()],
    ['tmpfile', () => this.#tmpfile()],
    ['list', () => this.#list()],
    ['fsync', () => this.#fsync()],
    ['look', () => this.#look(this.#path())],
    ['setAcl', () => this.#setAcl()],
    ['seek', () => this.#seek()],
    ['append', (number) => this.#append(number)],
  ]

  #mkdir(): string {
    const path = this.#path()
    umask(this.#one([0, 0o022, 0o077]))
    return this.#seen(mkdirat(this.root, path, this.#one(MODES)), path)
  }

  #create(): string {
    const path = this.#path()
    umask(this.#one([0, 0o022, 0o077]))
    const flags = this.#one([O.CREAT, O.CREAT | O.EXCL, O.CREAT | O.TRUNC, O.CREAT | O.APPEND])
    const access = this.#one([O.RDWR, O.WRONLY])
    const fd = openat(this.root, path, flags | access | O.CLOEXEC | O.NONBLOCK, this.#one(MODES))
    if (fd >= 0) this.#open.push(fd)
    if (this.#open.length > 8) close(this.#open.shift() ?? -1)
    return this.#seen(Math.min(fd, 0), path)
  }

  #write(): string {
    const path = this.#path()
    const fd = openat(this.root, path, O.RDWR | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const offset = this.#one(SIZES)
    const done = this.#isFile(fd) ? pwrite(fd, this.#data, this.#one(SIZES), offset) : 0
    close(fd)
    return this.#seen(done, path)
  }

  #writeOpen(): string {
    const fd = this.#open[this.#random(Math.max(1, this.#open.length))]
    if (fd === undefined || !this.#isFile(fd)) return 'none'
    const done =
      this.#random(2) === 0
        ? write(fd, this.#data, this.#one(SIZES))
        : pwrite(fd, this.#data, this.#one(SIZES), this.#one(SIZES))
    const found = this.#stat.ofDescriptor(fd)
    return `${show(done)} ${found} ${this.#stat.size} ${this.#stat.mode.toString(8)}`
  }

  #readOpen(): string {
    const fd = this.#open[this.#random(Math.max(1, this.#open.length))]
    if (fd === undefined || !this.#isFile(fd)) return 'none'
    const into = Buffer.alloc(5000)
    const got = pread(fd, into, into.length, this.#one(SIZES))
    return `${show(got)} ${sum(into.subarray(0, Math.max(0, got)))}`
  }

  #isFile(fd: number): boolean {
    return this.#stat.ofDescriptor(fd) === 0 && (this.#stat.mode & MODE.TYPE) === MODE.FILE
  }

  #closeOne(): string {
    const fd = this.#open.shift()
    return fd === undefined ? 'none' : show(close(fd))
  }

  #unlink(): string {
    const path = this.#path()
    return this.#seen(unlinkat(this.root, path, 0), path)
  }

  #rmdir(): string {
    const path = this.#path()
    return this.#seen(unlinkat(this.root, path, AT.REMOVEDIR), path)
  }

  #rename(): string {
    const from = this.#path()
    const to = this.#path()
    const flags = this.#one([0, 0, 0, RENAME.NOREPLACE, RENAME.EXCHANGE, RENAME.WHITEOUT, 3])
    const done = renameat2(this.root, from, this.root, to, flags)
    return `${this.#seen(done, from)} ${this.#look(to)}`
  }

  #link(): string {
    const from = this.#path()
    const to = this.#path()
    return this.#seen(linkat(this.root, from, this.root, to, this.#one([0, AT.SYMLINK_FOLLOW])), to)
  }

  #symlink(): string {
    const path = this.#path()
    const target = cstring(this.#one(['a', 'b/a', '/dev/null', 'c', 'x'.repeat(4000)]))
    return this.#seen(symlinkat(target, this.root, path), path)
  }

  #readlink(): string {
    const into = Buffer.alloc(5000)
    const got = readlinkat(this.root, this.#path(), into, into.length)
    return `${show(got)} ${sum(into.subarray(0, Math.max(0, got)))}`
  }

  #mknod(): string {
    const path = this.#path()
    const type = this.#one([MODE.FIFO, MODE.FILE, MODE.SOCKET, MODE.CHARACTER, MODE.BLOCK])
    return this.#seen(mknodat(this.root, path, type | this.#one(MODES), 0x103), path)
  }

  #chmod(): string {
    const path = this.#path()
    if (this.#random(2) === 0)
      return this.#seen(fchmodat(this.root, path, this.#one(MODES), 0), path)
    const fd = openat(this.root, path, O.RDONLY | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const done = fchmod(fd, this.#one(MODES))
    close(fd)
    return this.#seen(done, path)
  }

  #chown(): string {
    const path = this.#path()
    const ids = [-1, 0, 1000, 1234]
    const uid = this.#one(ids)
    // Not "neither": the kernel's FUSE keeps that to itself, where a local file system clears set-user-id.
    const gid = this.#one(uid === -1 ? ids.slice(1) : ids)
    if (this.#random(2) === 0) {
      const done = fchownat(this.root, path, uid >>> 0, gid >>> 0, AT.SYMLINK_NOFOLLOW)
      return this.#seen(done, path)
    }
    const fd = openat(this.root, path, O.RDONLY | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const done = fchown(fd, uid >>> 0, gid >>> 0)
    close(fd)
    return this.#seen(done, path)
  }

  #utimens(): string {
    const path = this.#path()
    const times = Buffer.alloc(32)
    times.writeBigInt64LE(BigInt(this.#random(2_000_000_000) - 1000), 0)
    times.writeBigInt64LE(BigInt(this.#random(1_000_000_000)), 8)
    times.writeBigInt64LE(BigInt(this.#random(2_000_000_000) - 1000), 16)
    const nanos = this.#one([this.#random(1_000_000_000), UTIME.OMIT, 5])
    times.writeBigInt64LE(BigInt(nanos), 24)
    const done = utimensat(this.root, path, times, AT.SYMLINK_NOFOLLOW)
    const seen = this.#seen(done, path)
    const shown = done === 0 && nanos !== UTIME.OMIT
    return shown ? `${seen} ${this.#stat.mtimeSeconds}.${this.#stat.mtimeNanos}` : seen
  }

  #truncate(): string {
    const path = this.#path()
    const fd = openat(this.root, path, O.RDWR | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const done = this.#isFile(fd) ? ftruncate(fd, this.#one(SIZES)) : 0
    close(fd)
    return this.#seen(done, path)
  }

  #allocate(): string {
    const path = this.#path()
    const fd = openat(this.root, path, O.RDWR | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const mode = this.#one([
      0,
      FALLOC.KEEP_SIZE,
      FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE,
      FALLOC.ZERO,
      // Not collapse and insert: the kernel's FUSE refuses them before we are asked.
      FALLOC.PUNCH_HOLE,
    ])
    const offset = this.#one([0, 4096, 8192, 65_536, 100])
    const done = this.#isFile(fd) ? fallocate(fd, mode, offset, this.#one([4096, 65_536, 10])) : 0
    close(fd)
    return this.#seen(done, path)
  }

  #withXattrs(run: (path: Buffer) => string): string {
    const fd = openat(this.root, this.#path(), O.PATH | O.CLOEXEC | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const said = run(selfPath(fd))
    close(fd)
    return said
  }

  #setXattr(): string {
    const name = cstring(this.#one(['user.a', 'user.b', 'trusted.c', 'nonsense']))
    const size = this.#one([0, 1, 200, 3000])
    const flags = this.#one([0, 0, XATTR.CREATE, XATTR.REPLACE])
    return this.#withXattrs((path) => show(setxattr(path, name, this.#data, size, flags)))
  }

  #removeXattr(): string {
    const name = cstring(this.#one(['user.a', 'user.b', 'trusted.c', 'system.posix_acl_default']))
    return this.#withXattrs((path) => show(removexattr(path, name)))
  }

  #listXattr(): string {
    return this.#withXattrs((path) => {
      const into = Buffer.alloc(70_000)
      const got = listxattr(path, into, into.length)
      const names = into.toString('latin1', 0, Math.max(0, got)).split('\0').filter(Boolean).sort()
      const values = names.map((name) => {
        const size = getxattr(path, cstring(name), into, into.length)
        return `${name}=${show(size)}:${sum(into.subarray(0, Math.max(0, size)))}`
      })
      return `${show(got)} ${values.join(' ')}`
    })
  }

  #setAcl(): string {
    const acl = aclOf(this.#one([7, 5, 0]))
    const name = cstring(this.#one(['system.posix_acl_access', 'system.posix_acl_default']))
    return this.#withXattrs((path) => show(setxattr(path, name, acl, acl.length, 0)))
  }

  /** One line of the file beside the directory, to which others append at the same moment. */
  #append(number: number): string {
    const line = `${this.name} ${number} ${'x'.repeat(this.#one([1, 100, 5000, 70_000]))}\n`
    const fd = openat(this.root, cstring('../shared'), O.WRONLY | O.APPEND | O.CLOEXEC, 0)
    if (fd < 0) return show(fd)
    const done = write(fd, Buffer.from(line), line.length)
    close(fd)
    return show(done)
  }

  #tmpfile(): string {
    const directory = cstring(`${this.#one(DIRECTORIES)}.`)
    const path = this.#path()
    umask(this.#one([0, 0o022]))
    const fd = openat(this.root, directory, O.TMPFILE | O.RDWR | O.CLOEXEC, this.#one(MODES))
    if (fd < 0) return show(fd)
    const wrote = write(fd, this.#data, this.#one(SIZES))
    const linked =
      this.#random(3) === 0 ? 0 : linkat(AT.FDCWD, selfPath(fd), this.root, path, AT.SYMLINK_FOLLOW)
    this.#open.push(fd)
    return `${show(wrote)} ${this.#seen(linked, path)}`
  }

  #list(): string {
    const directory = this.#one(DIRECTORIES)
    const path = `/proc/self/fd/${this.root}/${directory}`
    try {
      return readdirSync(path, { encoding: 'latin1' }).sort().join(' ')
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'failed'
    }
  }

  #fsync(): string {
    const fd = openat(this.root, this.#path(), O.RDONLY | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const done = this.#random(2) === 0 ? fsync(fd) : fdatasync(fd)
    close(fd)
    return show(done)
  }

  #seek(): string {
    const fd = openat(this.root, this.#path(), O.RDONLY | O.CLOEXEC | O.NONBLOCK | O.NOFOLLOW, 0)
    if (fd < 0) return show(fd)
    const isFile = this.#isFile(fd)
    const got = isFile ? lseek(fd, this.#one(SIZES), this.#one([SEEK.DATA, SEEK.HOLE])) : 0
    close(fd)
    // Where holes begin depends on how the kernel cut the writes; that there is one (or none) does not.
    return show(Math.min(got, 0))
  }
}
