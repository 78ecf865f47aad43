/** A follower that hangs: what waits for it is bounded, and so is the memory that it takes. */
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import ava from 'ava'
import { differences, join2, pair, type TestPlane } from './plane.fixture.js'

const test = ava.serial

const TIMEOUT_MS = 4000

interface Pressure {
  readonly threads: number
  readonly change: 'write' | 'resize'
}
/** Measured 110; docs/RFS.md says 200. The buffer of what waits is doubled when it is full, so it may be twice as large. */
const GROWS_MIB_MAX = 200

/** Makes as many files, and at a word changes all of them at once, each by a thread of its own. */
function program(directory: string, { threads, change }: Pressure): string {
  return `
import os, threading
os.chdir('${directory}')
for index in range(${threads}): os.close(os.open(str(index), os.O_CREAT | os.O_WRONLY))
def write(name):
    fd = os.open(name, os.O_WRONLY)
    assert os.pwrite(fd, bytes([int(name) % 251]) * 1048576, 0) == 1048576
    os.close(fd)
def resize(name):
    os.truncate(name, int(name))
threading.stack_size(65536)
threads = [threading.Thread(target=${change}, args=(str(index),)) for index in range(${threads})]
print('ready', flush=True)
input()
for one in threads: one.start()
for one in threads: one.join()
`
}

function memoryMiB(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
}

async function opsWaiting(server: TestPlane): Promise<number> {
  const { counters } = await server.must('status')
  // The data plane's own numbers.
  return (counters as Record<string, number>)['opsWaiting'] ?? 0
}

for (const pressure of [
  { what: 'writes of 1 MiB', change: 'write', threads: 120, least: 60, most: 65 },
  { what: 'small changes', change: 'resize', threads: 4400, least: 3800, most: 4096 },
] as const) {
  test(`${pressure.what} wait for a follower that hangs and take a bounded memory, and all of them go on after the time-out`, async (t) => {
    await pair(
      async (server, follower) => {
        await join2(server, follower)
        const child = spawn('python3', ['-c', program(server.directory, pressure)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        const ended = once(child, 'exit')
        await once(child.stdout, 'data')
        const before = memoryMiB(server.pid, 'VmRSS')
        const lost = server.events.length
        follower.pause()
        child.stdin.end('\n')
        const told = server.event('linkLost', lost)
        let most = 0
        while (!server.events.slice(lost).some(({ event }) => event === 'linkLost')) {
          most = Math.max(most, await opsWaiting(server))
          await delay(50)
        }
        t.regex(String((await told)['cause']), /nothing was heard|not acknowledged/)
        t.is(child.exitCode, null, 'the program waits')
        const peak = memoryMiB(server.pid, 'VmHWM')
        t.log(
          `${most} changes in flight, ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} at most`,
        )
        t.true(most >= pressure.least && most <= pressure.most, `${most} changes in flight`)
        t.true(peak - before < GROWS_MIB_MAX, `it grew from ${before} to ${peak} MiB`)
        await server.must('detach', { epoch: 2, generation: 'g2' })
        t.deepEqual(await ended, [0, null])
        follower.resume()
        await follower.must('unfollow')
        await join2(server, follower, 3)
        await server.must('drain')
        t.is(await differences(server.directory, follower.directory), '')
        const after = memoryMiB(server.pid, 'VmHWM')
        t.true(after - before < GROWS_MIB_MAX, `it grew from ${before} to ${after} MiB`)
      },
      { timeoutMs: TIMEOUT_MS },
    )
  })
}
