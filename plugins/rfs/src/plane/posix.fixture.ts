/**
 * For tests: what programs do with files, one entry for each thing that POSIX or Linux promises. Each is a Python program that runs in an
 * empty directory and says what it saw; on the mount it must say what it says on a local directory. `PRELUDE` comes first.
 */
export interface Item {
  /** What is the same as on a local directory. */
  readonly title: string
  readonly program: string
  /** Said by the local directory too; without it the item would prove nothing. */
  readonly says: RegExp
}

export const PRELUDE = `
import ctypes, errno, fcntl, mmap, os, select, signal, socket, stat, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
os.umask(0o022)
os.chdir(sys.argv[1])
def say(*what): print(*what, flush=True)
def call(result):
    if result < 0: raise OSError(ctypes.get_errno(), 'call')
    return result
def tried(run, *args, **named):
    try: return run(*args, **named)
    except OSError as error: return errno.errorcode[error.errno]
def make(name, content=b'', mode=0o644):
    fd = os.open(name, os.O_CREAT | os.O_RDWR, mode)
    os.write(fd, content)
    return fd
def read(name):
    with open(name, 'rb') as file: return file.read()
def rename2(old, new, flags): return call(libc.renameat2(-100, old.encode(), -100, new.encode(), flags))
def child(run):
    pid = os.fork()
    if pid == 0:
        code = 9
        try: code = run() or 0
        finally: os._exit(code)
    return pid
def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def as_user(user, run):
    """Says what a user without rights gets."""
    def inner():
        os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
        say('user', user, tried(run))
    return ended(child(inner))
def mode(name): return oct(os.lstat(name).st_mode)
`
