/**
 * For the crash loop, as a program: `node crash-writer.fixture.js DIR SEED FIRST` does one operation after the other and says before
 * and after each what it does, until its standard input ends or the directory does not answer any more. What it wrote it
 * reads again. A data plane that is killed beneath it must not be noticed.
 */
import fs from 'node:fs'
import { randomFrom } from './battery-values.fixture.js'
import { contentOf, randomOperation, type Operation } from './crash-ledger.fixture.js'
import {
  AT,
  E,
  O,
  close,
  cstring,
  errnoName,
  fsync,
  ftruncate,
  openat,
  pread,
  pwrite,
  renameat2,
  unlinkat,
  write,
} from './libc.js'

/** The node ended, or gave up its role: the end of this program, as it would be of the application. */
const ENDED = ['ENOTCONN', 'ECONNABORTED', 'EIO']

const random = randomFrom(Number(process.argv[3]))
// Never by a path: when the mount is gone, the same path leads to the directory beneath.
const root = openat(AT.FDCWD, cstring(process.argv[2] ?? ''), O.DIRECTORY | O.CLOEXEC, 0)
let number = Number(process.argv[4])
// The node may have ended before this program began.
if (root < 0) end(errnoName(root))
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()
turn()

function turn(): void {
  const operation = randomOperation(number++, random)
  say({ operation })
  const result = done(operation)
  if (ENDED.includes(result)) end(result)
  say({ outcome: result })
  setImmediate(turn)
}

function end(why: string): never {
  say({ ended: why })
  process.exit(0)
}

function say(line: object): void {
  fs.writeSync(1, JSON.stringify(line) + '\n')
}

function done(operation: Operation): string {
  switch (operation.kind) {
    case 'rename': {
      const [from, to] = [cstring(operation.from), cstring(operation.to)]
      return shown(renameat2(root, from, root, to, 0))
    }
    case 'unlink':
      return shown(unlinkat(root, cstring(operation.path), 0))
    case 'truncate':
      return withFile(operation.path, O.RDWR, (fd) => ftruncate(fd, operation.size))
    case 'append':
      return withFile(operation.path, O.CREAT | O.WRONLY | O.APPEND, (fd) => {
        const content = contentOf(operation)
        return inFull(content, (rest) => write(fd, rest, rest.length))
      })
    case 'write':
      return withFile(operation.path, O.CREAT | O.RDWR, (fd) => writeAndRead(fd, operation))
  }
}

function withFile(path: string, flags: number, work: (fd: number) => number): string {
  const fd = openat(root, cstring(path), flags | O.CLOEXEC, 0o640)
  if (fd < 0) return shown(fd)
  const result = work(fd)
  close(fd)
  return shown(result)
}

function writeAndRead(fd: number, operation: Extract<Operation, { kind: 'write' }>): number {
  const content = contentOf(operation)
  const { offset } = operation
  const wrote = inFull(content, (rest, done) => pwrite(fd, rest, rest.length, offset + done))
  if (wrote < 0) return wrote
  const synced = operation.sync ? fsync(fd) : 0
  if (synced < 0) return synced
  const back = Buffer.alloc(content.length)
  const got = pread(fd, back, back.length, offset)
  if (got < 0) return got
  // Nobody else writes here.
  return back.equals(content) ? 0 : -E.STALE
}

/** The kernel cuts a write into several, and says only how far it came: why the rest was refused is told by another try. */
function inFull(content: Buffer, step: (rest: Buffer, done: number) => number): number {
  const wrote = step(content, 0)
  if (wrote < 0 || wrote === content.length) return wrote
  const again = step(content.subarray(wrote), wrote)
  // Nothing may refuse a part here but the end of the node.
  return again < 0 ? again : -E.OVERFLOW
}

function shown(result: number): string {
  return result < 0 ? errnoName(result) : 'done'
}
