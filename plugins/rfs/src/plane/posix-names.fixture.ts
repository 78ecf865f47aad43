/** For tests: what programs do with names, rights and attributes. See posix.fixture.ts. */
import type { Item } from './posix.fixture.js'

export const NAME_ITEMS: readonly Item[] = [
  {
    title: 'hard links count, share content, and a rename of one over the other changes nothing',
    program: `
a = make('a', b'one')
os.link('a', 'b'); os.mkdir('d'); os.link('b', 'd/c')
os.write(a, b' two')
os.rename('a', 'b')
say(sorted(os.listdir('.')), os.stat('a').st_nlink, read('d/c'), os.path.samefile('a', 'd/c'))
os.unlink('b'); say(os.stat('a').st_nlink, tried(os.link, 'd', 'e'))
`,
    says: /3 b'one two' True\n2 EPERM/,
  },
  {
    title: 'symbolic links of any length, dangling, in circles, and with owners of their own',
    program: `
os.symlink('nowhere', 'dangling'); os.symlink('x' * 4095, 'long'); os.symlink('loop', 'loop')
say(len(os.readlink('long')), tried(os.stat, 'loop'), tried(os.stat, 'dangling'), tried(os.symlink, 'y' * 4096, 'longer'))
os.lchown('dangling', 1000, 1000)
os.utime('dangling', ns=(5, 1_234_567_891), follow_symlinks=False)
found = os.lstat('dangling'); say(found.st_uid, found.st_mtime_ns, found.st_size)
say(tried(os.open, 'dangling', os.O_RDONLY | os.O_NOFOLLOW))
`,
    says: /4095 ELOOP ENOENT ENAMETOOLONG\n1000 1234567891 7\nELOOP/,
  },
  {
    title: 'a pipe with a name connects two processes',
    program: `
os.mkfifo('pipe', 0o640)
def writer():
    with open('pipe', 'wb') as out: out.write(b'through it')
pid = child(writer)
say(read('pipe'), ended(pid), mode('pipe'), tried(os.open, 'pipe', os.O_WRONLY | os.O_NONBLOCK))
`,
    says: /b'through it' 0 0o10640 ENXIO/,
  },
  {
    title: 'a socket with a name is listened on, and is refused when nobody does',
    program: `
server = socket.socket(socket.AF_UNIX); server.bind('socket'); server.listen(1)
client = socket.socket(socket.AF_UNIX); client.connect('socket'); client.sendall(b'hello')
peer, _ = server.accept(); say(peer.recv(9), mode('socket'))
server.close(); say(tried(socket.socket(socket.AF_UNIX).connect, 'socket'))
say(tried(socket.socket(socket.AF_UNIX).bind, 'socket'), tried(os.open, 'socket', os.O_RDWR))
`,
    says: /b'hello' 0o140755\nECONNREFUSED\nEADDRINUSE ENXIO/,
  },
  {
    title: 'device files work and keep their numbers',
    program: `
os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3)); os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(7, 200))
fd = os.open('null', os.O_RDWR); say(os.write(fd, b'gone'), os.read(fd, 5))
say(os.lstat('null').st_rdev, os.lstat('disk').st_rdev, mode('disk'))
`,
    says: /^4 b''\n259 1992 0o60600/,
  },
  {
    title: 'a rename over an open file leaves its content to who has it open',
    program: `
old = make('old', b'old'); os.close(make('new', b'new')); os.rename('new', 'old')
os.write(old, b' goes on'); say(os.pread(old, 20, 0), read('old'), os.fstat(old).st_nlink, os.listdir('.'))
`,
    says: /b'old goes on' b'new' 0 \['old'\]/,
  },
  {
    title: 'renames exchange, refuse to replace, and refuse what makes no sense',
    program: `
os.close(make('f', b'file')); os.makedirs('d/in'); os.mkdir('empty')
rename2('f', 'd', 2); say(read('d'), os.listdir('f'))
say(tried(rename2, 'd', 'f', 1), tried(rename2, 'd', 'absent', 2), tried(rename2, 'd', 'free', 3))
rename2('d', 'free', 1); say(read('free'))
say(tried(os.rename, 'empty', 'f'), tried(os.rename, 'f', 'f/in/x'), tried(os.rename, 'free', 'f'), tried(os.rename, 'f', 'free'))
os.rename('f', 'empty'); say(os.listdir('empty'))
`,
    says: /b'file' \['in'\]\nEEXIST ENOENT EINVAL\nb'file'\nENOTEMPTY EINVAL EISDIR ENOTDIR\n\['in'\]/,
  },
  {
    title: 'a directory is renamed under its users, who go on in it',
    program: `
os.makedirs('a/b'); fd = make('a/b/f', b'1'); within = os.open('a/b', os.O_DIRECTORY); os.mkdir('c')
os.chdir('a/b'); os.rename('../../a', '../../c/a'); os.chdir('../..')
os.write(fd, b'2'); os.close(os.open('made', os.O_CREAT | os.O_WRONLY, dir_fd=within))
say(os.listdir('.'), sorted(os.listdir('a/b')), read('a/b/f'))
os.chdir('..'); say(os.path.exists('a'), read('c/a/b/f'))
os.mkdir('gone'); gone = os.open('gone', os.O_DIRECTORY); os.rmdir('gone')
say(tried(os.mkdir, 'x', dir_fd=gone), os.fstat(gone).st_nlink, tried(os.rmdir, 'c'))
`,
    says: /\['a'\] \['f', 'made'\] b'12'\nFalse b'12'\nENOENT 0 ENOTEMPTY/,
  },
  {
    title: 'extended attributes of all name spaces, with their flags and limits',
    program: `
os.close(make('f')); os.symlink('f', 'l')
os.setxattr('f', 'user.a', b'\\0\\xff'); os.setxattr('f', 'trusted.b', b'x' * 2000); os.setxattr('l', 'trusted.c', b'', follow_symlinks=False)
say(sorted(os.listxattr('f')), os.getxattr('f', 'user.a'), os.listxattr('l', follow_symlinks=False))
say(tried(os.setxattr, 'f', 'user.a', b'', os.XATTR_CREATE), tried(os.setxattr, 'f', 'user.z', b'', os.XATTR_REPLACE))
say(tried(os.setxattr, 'f', 'nonsense', b''), tried(os.setxattr, 'f', 'user.' + 'n' * 251, b''), tried(os.setxattr, 'l', 'user.a', b'', follow_symlinks=False))
os.removexattr('f', 'user.a'); say(tried(os.getxattr, 'f', 'user.a'), tried(os.setxattr, 'f', 'user.big', b'x' * 65537))
as_user(1000, lambda: os.setxattr('f', 'user.mine', b'')); as_user(1000, lambda: os.listxattr('f'))
`,
    says: /EEXIST ENODATA\nENOTSUP ERANGE EPERM\nENODATA E2BIG\nuser 1000 EACCES\nuser 1000 \[\]/,
  },
  {
    title: 'access control lists give and take rights, are inherited, and follow the mode',
    program: `
def acl(*entries): return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *one) for one in entries)
NONE = 0xffffffff
def list_for(user, rights): return acl((1, 7, NONE), (2, rights, user), (4, 0, NONE), (16, 7, NONE), (32, 0, NONE))
os.chmod('.', 0o755); os.close(make('f', b'secret', 0o600)); os.mkdir('d', 0o700)
os.setxattr('f', 'system.posix_acl_access', list_for(1000, 4)); say(mode('f'))
as_user(1000, lambda: read('f')); as_user(1234, lambda: read('f')); as_user(1000, lambda: os.open('f', os.O_RDWR))
os.chmod('f', 0o600); as_user(1000, lambda: read('f'))
os.setxattr('d', 'system.posix_acl_access', list_for(1000, 7)); os.setxattr('d', 'system.posix_acl_default', list_for(1234, 6))
os.umask(0o077); os.mkdir('d/e'); os.close(make('d/g', b'', 0o666))
say(mode('d/e'), mode('d/g'), os.getxattr('d/g', 'system.posix_acl_access') , sorted(os.listxattr('d/e')))
as_user(1000, lambda: os.close(make('d/h'))); say(mode('d/h'))
os.removexattr('d', 'system.posix_acl_default'); os.close(make('d/i', b'', 0o666)); say(mode('d/i'))
say(tried(os.setxattr, 'f', 'system.posix_acl_access', b'broken'), tried(os.setxattr, 'f', 'system.posix_acl_default', list_for(1, 1)))
`,
    says: /0o100770\nuser 1000 b'secret'\nuser 1234 EACCES\nuser 1000 EACCES\nuser 1000 EACCES\n/,
  },
  {
    title: 'a sticky directory keeps users from removing what is not theirs',
    program: `
os.chmod('.', 0o755); os.mkdir('shared'); os.chmod('shared', 0o1777)
def mine(): os.close(make('shared/mine')); os.mkdir('shared/folder')
as_user(1000, mine)
as_user(1234, lambda: os.unlink('shared/mine')); as_user(1234, lambda: os.rename('shared/mine', 'shared/yours'))
as_user(1234, lambda: os.rmdir('shared/folder')); as_user(1000, lambda: os.unlink('shared/mine')); say(os.listdir('shared'))
`,
    says: /user 1234 EPERM\nuser 1234 EPERM\nuser 1234 EPERM\nuser 1000 None\n\['folder'\]/,
  },
  {
    title: 'a set-group-id directory gives its group to what is made in it',
    program: `
os.chmod('.', 0o755); os.mkdir('team'); os.chown('team', 0, 1234); os.chmod('team', 0o2777)
def made():
    os.close(make('team/f')); os.mkdir('team/d'); os.symlink('f', 'team/l'); os.mkfifo('team/p')
    os.close(make('team/x', b'', 0o2770))
as_user(1000, made)
for name in sorted(os.listdir('team')):
    found = os.lstat('team/' + name); say(name, found.st_uid, found.st_gid, oct(found.st_mode))
`,
    says: /d 1000 1234 0o42755\nf 1000 1234 0o100644\nl 1000 1234/,
  },
  {
    title:
      'set-user-id and set-group-id go when a user writes, cuts or gives away the file, and stay for root',
    program: `
os.chmod('.', 0o777)
def fresh(name, bits=0o6777):
    os.close(make(name, b'content')); os.chown(name, 1000, 1000); os.chmod(name, bits); return name
def wrote(name):
    with open(name, 'r+b') as file: file.write(b'x')
for bits in (0o6777, 0o2767, 0o4666):
    for name, change in (('write', wrote), ('truncate', lambda n: os.truncate(n, 2)), ('same', lambda n: os.truncate(n, 7)), ('open', lambda n: os.close(os.open(n, os.O_WRONLY | os.O_TRUNC)))):
        fresh(f'{name}{bits}', bits); as_user(1234, lambda: change(f'{name}{bits}')); say(name, mode(f'{name}{bits}'))
wrote(fresh('root')); say(mode('root')); os.chown(fresh('given'), 1234, 1234); say(mode('given'))
def member():
    os.setgroups([7, 1000]); os.setresgid(1234, 1234, 1234); os.setresuid(1234, 1234, 1234); wrote('team')
fresh('team', 0o2767); ended(child(member)); say(mode('team'))
`,
    says: /write 0o100777\nuser 1234 None\ntruncate 0o100777/,
  },
  {
    title:
      'locks of flock and fcntl, of ranges and of open files, keep processes out and end with them',
    program: `
fd = make('lock', b'x' * 100)
def attempt(run):
    def inner(): say(tried(run, os.open('lock', os.O_RDWR)))
    ended(child(inner))
fcntl.flock(fd, fcntl.LOCK_EX); attempt(lambda f: fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB))
fcntl.flock(fd, fcntl.LOCK_SH); attempt(lambda f: fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)); fcntl.flock(fd, fcntl.LOCK_UN)
fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)
attempt(lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 25)); attempt(lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 40))
def asked(f):
    said = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)); kind, _, start, length, pid = struct.unpack('hhqqi4x', said)
    return kind, start, length, pid == os.getppid()
attempt(asked)
fcntl.lockf(fd, fcntl.LOCK_UN)
whole = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0); fcntl.fcntl(fd, 37, whole)
attempt(lambda f: fcntl.fcntl(f, 37, whole)); os.close(fd); attempt(lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB))
`,
    says: /EAGAIN\nNone\nEAGAIN\nNone\n\(1, 20, 10, True\)\nEAGAIN\nNone/,
  },
  {
    title: 'names hold any bytes, up to 255 of them',
    program: `
any_bytes = bytes(byte for byte in range(1, 256) if byte != 47)
os.mkdir(b'n'); os.chdir(b'n')
for name in (any_bytes[:127], any_bytes[127:], b'z' * 255, b' ', b'\\n', b'..x', '\\u00e9'.encode(), 'e\\u0301'.encode(), b'\\xff\\xfe'):
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)); 
say(sorted(os.listdir(b'.')), tried(os.mkdir, b'z' * 256), tried(os.mkdir, b'..'), tried(os.mkdir, b'.'))
os.rename(b'\\xff\\xfe', b'\\xfe\\xff'); os.link(b'\\n', b'\\t'); say(len(os.listdir(b'.')))
`,
    says: /ENAMETOOLONG EEXIST EEXIST\n10/,
  },
  {
    title: 'deep trees beyond the longest path are made, written and removed step by step',
    program: `
at = os.open('.', os.O_DIRECTORY)
for level in range(600):
    os.mkdir('directory', dir_fd=at); deeper = os.open('directory', os.O_DIRECTORY, dir_fd=at); os.close(at); at = deeper
fd = os.open('bottom', os.O_CREAT | os.O_RDWR, dir_fd=at); os.write(fd, b'deep down'); os.fsync(fd)
os.rename('bottom', 'found', src_dir_fd=at, dst_dir_fd=at); os.chmod(fd, 0o600)
say(tried(os.stat, 'directory/' * 600), os.stat('found', dir_fd=at).st_size)
`,
    says: /ENAMETOOLONG 9/,
  },
  {
    title: 'a large directory is listed whole, also while names come and go',
    program: `
os.mkdir('d')
for number in range(1500): os.close(os.open(f'd/{number:05}', os.O_CREAT))
seen = set()
with os.scandir('d') as names:
    for index, one in enumerate(names):
        seen.add(one.name)
        if index % 3 == 0 and index < 600: os.unlink('d/' + one.name); os.close(os.open(f'd/new{index}', os.O_CREAT))
say(len([name for name in seen if not name.startswith('new')]), len(os.listdir('d')))
fd = os.open('d', os.O_DIRECTORY); say(len(os.listdir(fd)), len(os.listdir(fd)))
`,
    says: /1500 1500\n1500 1500/,
  },
  {
    title: 'what open is told to refuse is refused',
    program: `
os.close(make('f', b'x')); os.mkdir('d')
for flags in (os.O_CREAT | os.O_EXCL, os.O_DIRECTORY, os.O_WRONLY): say(tried(os.open, 'f' if flags != os.O_WRONLY else 'd', flags))
say(tried(os.open, 'f/x', os.O_RDONLY), tried(os.open, 'absent', os.O_RDONLY), tried(os.unlink, 'd'), tried(os.rmdir, 'f'), tried(os.open, 'd', os.O_CREAT))
fd = os.open('f', os.O_RDONLY); say(tried(os.write, fd, b'y'), tried(os.ftruncate, fd, 0)); say(tried(os.lseek, fd, -1, 0), tried(os.pread, fd, 1, 1))
`,
    says: /EEXIST\nENOTDIR\nEISDIR\nENOTDIR ENOENT EISDIR ENOTDIR EISDIR\nEBADF EINVAL/,
  },
  {
    title: 'users without rights are refused as by their own file system',
    program: `
os.chmod('.', 0o755); os.close(make('theirs', b'x', 0o640)); os.mkdir('closed', 0o700); os.close(make('closed/f')); os.close(make('ran', b'#!/bin/true\\n', 0o644))
for run in (lambda: os.open('theirs', os.O_RDONLY), lambda: os.listdir('closed'), lambda: os.stat('closed/f'), lambda: os.mkdir('x'), lambda: os.chmod('theirs', 0o777), lambda: os.chown('theirs', 1000, -1), lambda: os.execv('./ran', ['ran']), lambda: os.link('theirs', 'x'), lambda: os.access('theirs', os.R_OK)):
    as_user(1000, run)
os.chown('theirs', 1000, 1000); as_user(1000, lambda: os.chown('theirs', 1234, -1)); as_user(1000, lambda: os.chown('theirs', -1, 1000))
as_user(1000, lambda: os.mknod('theirs2', stat.S_IFCHR | 0o666, os.makedev(1, 3)))
`,
    says: /EACCES\nuser 1000 EACCES\nuser 1000 EACCES\nuser 1000 EACCES\nuser 1000 EPERM\nuser 1000 EPERM\nuser 1000 EACCES/,
  },
  {
    title:
      'programs are run from it, with the rights of their owner, and not written while they run',
    program: `
import shutil, subprocess
os.chmod('.', 0o755); shutil.copy('/usr/bin/id', 'id'); os.chown('id', 1234, 1234); os.chmod('id', 0o4755)
say(subprocess.run(['./id', '-u'], capture_output=True, text=True).stdout.strip())
shutil.copy('/usr/bin/sleep', 'sleep'); running = subprocess.Popen(['./sleep', '60'])
say(tried(os.open, 'sleep', os.O_WRONLY)); running.kill(); running.wait(); os.close(make('script', b'#!/bin/sh\\necho $0 runs\\n', 0o755))
say(subprocess.run(['./script'], capture_output=True, text=True).stdout.strip())
`,
    says: /1234\nETXTBSY\n\.\/script runs/,
  },
  {
    title: 'changes are seen by who watches the directory',
    program: `
fd = libc.inotify_init1(0); call(libc.inotify_add_watch(fd, b'.', 0x3c2 | 0x2))
os.close(make('f', b'x')); os.rename('f', 'g'); os.unlink('g')
seen = []; data = os.read(fd, 4096)
while data: _, mask, _, length = struct.unpack_from('iIII', data); seen.append((hex(mask), data[16:16 + length].rstrip(b'\\0'))); data = data[16 + length:]
say(seen)
`,
    says: /0x100', b'f'.*0x40', b'f'.*0x80', b'g'.*0x200', b'g'/,
  },
]
