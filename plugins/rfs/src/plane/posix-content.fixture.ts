/** For tests: what programs do with the content of files and what belongs to it. See posix.fixture.ts. */
import type { Item } from './posix.fixture.js'

export const CONTENT_ITEMS: readonly Item[] = [
  {
    title: 'holes are holes: seen, read as zeros, punched and filled',
    program: `
fd = make('sparse'); os.pwrite(fd, b'end', 10_000_000); os.fsync(fd)
say(os.lseek(fd, 0, os.SEEK_DATA) > 9_000_000, os.lseek(fd, 0, os.SEEK_HOLE), os.stat('sparse').st_blocks < 100)
os.pwrite(fd, b'x' * 1_000_000, 0); os.fsync(fd)
call(libc.fallocate(fd, 3, ctypes.c_long(65536), ctypes.c_long(131072)))
say(os.lseek(fd, 0, os.SEEK_HOLE), os.pread(fd, 3, 65536), os.pread(fd, 2, 65535), tried(os.lseek, fd, 11_000_000, os.SEEK_DATA))
call(libc.fallocate(fd, 16, ctypes.c_long(0), ctypes.c_long(4096))); say(os.pread(fd, 2, 4095), os.stat('sparse').st_size)
call(libc.fallocate(fd, 1, ctypes.c_long(0), ctypes.c_long(20_000_000))); say(os.stat('sparse').st_size)
os.posix_fallocate(fd, 0, 12_000_000); say(os.stat('sparse').st_size)
`,
    says: /True 0 True\n65536 b'\\x00\\x00\\x00' b'x\\x00' ENXIO\nb'\\x00x' 10000003\n10000003\n12000000/,
  },
  {
    title: 'a file without a name can be written, be given a name, and gets none with O_EXCL',
    program: `
fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(fd, b'hidden')
say(os.listdir('.'), os.fstat(fd).st_nlink)
os.link(f'/proc/self/fd/{fd}', 'shown', src_dir_fd=fd, follow_symlinks=True)
os.write(fd, b' no more'); say(read('shown'), mode('shown'), os.fstat(fd).st_nlink)
never = os.open('.', os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600); os.write(never, b'kept'); say(os.pread(never, 9, 0))
`,
    says: /\[\] 0\nb'hidden no more' 0o100640 1\nb'kept'/,
  },
  {
    title: 'an open file that lost its name is still read, written, cut and mapped',
    program: `
fd = make('gone', b'before'); os.unlink('gone')
os.pwrite(fd, b'after' * 2000, 6); os.ftruncate(fd, 9000)
memory = mmap.mmap(fd, 9000); memory[0:6] = b'mapped'; memory.flush(); os.fsync(fd)
say(os.pread(fd, 11, 0), os.fstat(fd).st_size, os.fstat(fd).st_nlink, tried(os.open, 'gone', os.O_RDONLY))
os.fchmod(fd, 0o600); os.close(make('gone', b'another')); say(read('gone'), os.pread(fd, 6, 0))
`,
    says: /b'mappedafter' 9000 0 ENOENT\nb'another' b'mapped'/,
  },
  {
    title: 'times have nanoseconds, go back before 1970, can be left alone and set to now',
    program: `
os.close(make('f')); os.utime('f', ns=(1, 1_600_000_000_123_456_789)); say(os.stat('f').st_mtime_ns)
os.utime('f', ns=(0, -1)); say(os.stat('f').st_mtime_ns)
times = struct.pack('qqqq', 7, 0x3ffffffe, 5, 999_999_999); call(libc.utimensat(-100, b'f', times, 0)); say(os.stat('f').st_mtime_ns)
os.utime('f'); say(os.stat('f').st_mtime_ns > 1_600_000_000_000_000_000)
os.mkdir('d'); before = os.stat('d').st_mtime_ns; os.utime('d', ns=(0, 0)); os.close(make('d/x')); say(os.stat('d').st_mtime_ns > 0)
os.chmod('.', 0o755); as_user(1000, lambda: os.utime('f', ns=(0, 0))); as_user(1000, lambda: os.utime('f'))
`,
    says: /1600000000123456789\n-1\n5999999999\nTrue\nTrue\nuser 1000 EPERM\nuser 1000 EACCES/,
  },
  {
    title: 'what several processes append stays whole',
    program: `
def appender(letter):
    def run():
        fd = os.open('log', os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        for number in range(200): os.write(fd, f'{letter}{number:03}{letter * 95}\\n'.encode())
    return run
for pid in [child(appender(letter)) for letter in 'abcd']: ended(pid)
lines = read('log').decode().splitlines()
say(len(lines), len(set(lines)), set(map(len, lines)))
say([[line[1:4] for line in lines if line[0] == letter] == [f'{n:03}' for n in range(200)] for letter in 'abcd'])
`,
    says: /800 800 \{99\}\n\[True, True, True, True\]/,
  },
  {
    title: 'reads and writes past the page cache see the same bytes as others',
    program: `
fd = os.open('direct', os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o644)
block = mmap.mmap(-1, 65536); block.write(bytes(range(256)) * 256)
say(os.writev(fd, [block]), os.pwritev(fd, [block], 1 << 20), os.fstat(fd).st_size)
back = mmap.mmap(-1, 65536); say(os.preadv(fd, [back], 1 << 20), back[:] == block[:], read('direct')[:65536] == block[:])
with open('direct', 'r+b', 0) as cached: cached.write(b'cached')
say(os.preadv(fd, [back], 0), back[:7])
`,
    says: /65536 65536 1114112\n65536 True True\n65536 b'cached\\x06'/,
  },
  {
    title: 'a shared mapping is one memory for all processes, and on the disk after msync',
    program: `
fd = make('mapped'); os.ftruncate(fd, 100_000); memory = mmap.mmap(fd, 100_000)
def other():
    mine = mmap.mmap(os.open('mapped', os.O_RDWR), 100_000); mine[5000:5005] = b'other'; mine.flush()
ended(child(other)); say(memory[5000:5005], os.pread(fd, 5, 5000))
memory[99_990:100_000] = b'0123456789'; memory.flush(); say(read('mapped')[-10:])
os.pwrite(fd, b'written', 20_000); say(memory[20_000:20_007])
private = mmap.mmap(fd, 100_000, flags=mmap.MAP_PRIVATE); private[0:5] = b'never'; say(os.pread(fd, 5, 0))
`,
    says: /b'other' b'other'\nb'0123456789'\nb'written'\nb'\\x00\\x00/,
  },
  {
    title: 'a file of more than 2 TiB has its bytes where they were written',
    program: `
fd = make('huge'); far = 5 * 2 ** 39 + 12345
os.pwrite(fd, b'far away', far); os.fsync(fd); os.ftruncate(fd, far + 2 ** 40)
say(os.pread(fd, 8, far), os.fstat(fd).st_size, os.lseek(fd, 0, os.SEEK_DATA) // 4096 == far // 4096, os.fstat(fd).st_blocks < 100)
say(tried(os.pwrite, fd, b'x', 2 ** 63 - 1), tried(os.ftruncate, fd, 2 ** 62))
`,
    says: /b'far away' 3848290709561 True True\nE\w+ E\w+/,
  },
  {
    title: 'a lease is granted to the only user of a file, and broken by the next one who opens it',
    program: `
fd = make('leased'); broken = []
def give_back(*_): broken.append(fcntl.fcntl(fd, fcntl.F_GETLEASE)); fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
signal.signal(signal.SIGIO, give_back)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK); say(fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_WRLCK)
say(ended(child(lambda: os.close(os.open('leased', os.O_RDONLY)))), len(broken))
other = os.open('leased', os.O_RDONLY); say(tried(fcntl.fcntl, fd, fcntl.F_SETLEASE, fcntl.F_WRLCK))
`,
    says: /True\n0 1\nEAGAIN/,
  },
  {
    title: 'the file system says how large it is',
    program: `
said = os.statvfs('.'); say(said.f_bsize, said.f_frsize, said.f_blocks, said.f_files, said.f_namemax)
`,
    says: / 255\n$/,
  },
  {
    title: 'bytes are copied inside the kernel',
    program: `
source = make('source', bytes(range(250)) * 4000); target = make('target')
say(os.copy_file_range(source, target, 600_000, 1000, 5), os.fstat(target).st_size, os.pread(target, 4, 5))
sent = make('sent'); os.lseek(source, 0, 0); say(os.sendfile(sent, source, 100, 500_000), read('sent') == read('source')[100:500_100])
pipe = os.pipe(); spliced = make('spliced'); os.write(pipe[1], b'spliced in'); say(os.splice(pipe[0], spliced, 10), read('spliced'))
`,
    says: /600000 600005 .*\n500000 True\n10 b'spliced in'/,
  },
  {
    title: 'a file may not grow beyond the limit of its writer',
    program: `
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN); fd = make('f')
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
say(os.write(fd, b'x' * 20_000), tried(os.write, fd, b'x'), tried(os.ftruncate, fd, 20_000), tried(os.posix_fallocate, fd, 0, 20_000), os.fstat(fd).st_size)
`,
    says: /10000 EFBIG EFBIG EFBIG 10000/,
  },
  {
    title: 'writes that ask for the disk, parts of files and whole file systems are synced',
    program: `
fd = os.open('f', os.O_CREAT | os.O_WRONLY | os.O_SYNC, 0o644); say(os.write(fd, b'x' * 5000))
data = os.open('g', os.O_CREAT | os.O_RDWR | os.O_DSYNC, 0o644); say(os.pwritev(data, [b'ab', b'cd'], 3, os.RWF_DSYNC), os.preadv(data, [bytearray(9)], 0))
say(call(libc.sync_file_range(data, ctypes.c_long(0), ctypes.c_long(7), 7)), call(libc.syncfs(data)), os.fdatasync(data), tried(os.fsync, os.open('.', os.O_RDONLY)))
`,
    says: /5000\n4 7\n0 0 None None/,
  },
]
