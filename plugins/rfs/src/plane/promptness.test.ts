import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { POLL, SOCKET, close, eventfd, poll } from './libc.js'
import { Promptness } from './promptness.js'
import { WorkerPool } from './workers/pool.js'

/** Calls that take this long until the disk counts as prompt. */
function callsUntilPrompt(disk: Promptness, microseconds: number): number {
  let calls = 0
  for (; !disk.isPrompt && calls < 10_000; calls += 1) disk.took(microseconds)
  return calls
}

test('a disk of which nothing is known, and one that is slow, is left to the threads', (t) => {
  const disk = new Promptness()
  t.false(disk.isPrompt)
  t.is(callsUntilPrompt(disk, 300), 10_000)
})

test('a disk is prompt after some dozens of quick calls, and one hiccup ends that for about as long', (t) => {
  const disk = new Promptness()
  const first = callsUntilPrompt(disk, 40)
  t.true(first > 16 && first < 200, String(first))
  disk.took(190)
  t.true(disk.isPrompt, 'one that is a little slower changes nothing')
  disk.took(10_000)
  t.false(disk.isPrompt)
  const again = callsUntilPrompt(disk, 40)
  t.true(again > 16 && again < first, String(again))
})

test('an fsync is done before the call returns on a prompt disk, and by a thread on another one', (t) => {
  const wake = eventfd(0, SOCKET.NONBLOCK)
  const pool = new WorkerPool(wake, (error) => t.fail(error.message))
  const directory = mkdtempSync(join(tmpdir(), 'hfprompt-'))
  const fd = openSync(join(directory, 'file'), 'w')
  t.teardown(async () => {
    await pool.stop()
    closeSync(fd)
    close(wake)
    rmSync(directory, { recursive: true })
  })
  const results: number[] = []
  // Two disks: the first call may well show that this one is not prompt at all.
  pool.fsync(prompt(), fd, true, (result) => results.push(result))
  pool.fsync(prompt(), -1, false, (result) => results.push(result))
  t.deepEqual(results, [0, -9], 'at once, errors as well')
  pool.fsync(new Promptness(), fd, false, (result) => results.push(result))
  t.is(results.length, 2)
  t.is(pool.busy, 1)
  untilReadable(t, wake)
  pool.collect()
  t.deepEqual(results, [0, -9, 0])
})

function prompt(): Promptness {
  const disk = new Promptness()
  callsUntilPrompt(disk, 1)
  return disk
}

function untilReadable(t: ExecutionContext, fd: number): void {
  const polled = Buffer.alloc(8)
  polled.writeInt32LE(fd)
  polled.writeInt16LE(POLL.IN, 4)
  t.is(poll(polled, 1, 30_000), 1, 'a thread is done')
}
