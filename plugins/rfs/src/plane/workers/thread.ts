/** A worker thread: does what may take long (fsync, reads from a cold disk), one job after the other. */
import { workerData } from 'node:worker_threads'
import { assert } from '@holdfast/sdk'
import { MAX_WRITE, SIZE } from '../fuse/abi.js'
import { addressOf, fdatasync, fsync, pread, syncfs, write } from '../libc.js'
import { JOB, STATE, mailboxOn, type Mailbox } from './jobs.js'

interface Start {
  readonly memory: SharedArrayBuffer
  readonly wake: number
}

function isStart(value: unknown): value is Start {
  return typeof value === 'object' && value !== null && 'memory' in value && 'wake' in value
}

const answer = Buffer.alloc(MAX_WRITE + SIZE.OUT_HEADER)
const answerView = new DataView(answer.buffer, answer.byteOffset, answer.length)
const answerAddress = addressOf(answer)
const one = Buffer.alloc(8)
one.writeUInt8(1, 0)

assert(isStart(workerData), 'a worker is started by the pool')
work(workerData.wake, mailboxOn(workerData.memory))

function work(wake: number, mailbox: Mailbox): void {
  const { words, numbers } = mailbox
  for (;;) {
    const state = Atomics.load(words, 0)
    if (state === STATE.END) return
    if (state !== STATE.WORK) {
      Atomics.wait(words, 0, state)
      continue
    }
    const begun = performance.now()
    numbers[1] = run(mailbox)
    numbers[2] = (performance.now() - begun) * 1000
    // The pool may have said END meanwhile: that must not be overwritten.
    Atomics.compareExchange(words, 0, STATE.WORK, STATE.DONE)
    write(wake, one, 8)
  }
}

function run({ words, numbers }: Mailbox): number {
  const fd = words[2] ?? -1
  switch (words[1]) {
    case JOB.FSYNC:
      return fsync(fd)
    case JOB.FDATASYNC:
      return fdatasync(fd)
    case JOB.SYNCFS:
      return syncfs(fd)
    case JOB.READ:
      return read(fd, words, numbers[0] ?? 0)
    default:
      throw new Error(`assertion failed: unknown job ${String(words[1])}`)
  }
}

/** Reads and answers the kernel from here: the data does not pass through the loop. */
function read(fd: number, words: Int32Array, offset: number): number {
  const got = pread(fd, answerAddress + SIZE.OUT_HEADER, words[4] ?? 0, offset)
  const length = SIZE.OUT_HEADER + Math.max(got, 0)
  answerView.setUint32(0, length, true)
  answerView.setInt32(4, Math.min(got, 0), true)
  answerView.setInt32(8, words[5] ?? 0, true)
  answerView.setInt32(12, words[6] ?? 0, true)
  write(words[3] ?? -1, answerAddress, length)
  return got
}
