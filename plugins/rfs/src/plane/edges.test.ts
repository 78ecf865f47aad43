/** Where the two trees could come apart, or changes wait for ever: failures in the middle, late links, what lies beneath. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import ava from 'ava'
import { Request } from './fuse/request.js'
import { E, MODE } from './libc.js'
import { Descriptors } from './descriptors.js'
import { TestPlane, differences, isMounted, join2, pair, shell } from './plane.fixture.js'
import { Parked } from './serve/parked.js'
import { Volume } from './volume.js'

// One after the other: each runs several processes, and time-outs are part of what is tested.
const test = ava.serial

/** Two planes of which the server's directory is a small file system of its own, in `base/image`. */
async function onSmallDisk(
  run: (server: TestPlane, follower: TestPlane) => Promise<void>,
): Promise<void> {
  const server = TestPlane.prepare('small')
  const follower = TestPlane.prepare('follower')
  const image = join(server.base, 'image')
  try {
    await shell(`truncate -s 16M ${image} && mkfs.ext4 -q -m 0 -O ^has_journal ${image} 2>&1`)
    await shell(`mount -o loop ${image} ${server.directory}`)
    await server.start()
    await follower.start()
    await server.must('serve', { generation: 'g1', alone: true })
    await run(server, follower)
  } finally {
    await server.kill()
    server.unmount()
    await shell(`umount -l ${server.directory} || true`)
    await server.remove()
    await follower.remove()
  }
}

test('a follower joins a node whose application waits for longer than the time-out, and the write is answered', async (t) => {
  await pair(
    async (server, follower) => {
      await join2(server, follower)
      follower.pause()
      const lost = server.events.length
      const writing = shell(`echo one > ${server.directory}/f`)
      await server.event('linkLost', lost)
      await follower.kill()
      follower.unmount()
      await follower.start()
      await join2(server, follower, 2)
      await writing
      await server.must('drain')
      t.is(readFileSync(join(follower.directory, 'f'), 'utf8'), 'one\n')
      t.is(await differences(server.directory, follower.directory), '')
    },
    { timeoutMs: 500 },
  )
})

test('a follower that was admitted before this side went on alone is not let in after it', async (t) => {
  await pair(async (server, follower) => {
    const session = '0a'.repeat(16)
    const key = '0b'.repeat(32)
    await server.must('admit', { epoch: 1, full: false, session, key })
    await server.must('detach', { epoch: 1, generation: 'g2' })
    const { address, port } = server.launch.listen
    await follower.must('follow', { epoch: 1, full: false, address, port, session, key })
    await Promise.race([follower.event('linkLost'), follower.event('copyFinished')])
    t.false(follower.events.some(({ event }) => event === 'copyFinished'))
    t.is((await server.must('status'))['link'], 'none')
  })
})

test('a follower that lost its server does not say that it copies', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    t.is((await follower.must('status'))['link'], 'live')
    await server.kill()
    await follower.event('linkLost')
    t.is((await follower.must('status'))['link'], 'none')
  })
})

test('the first op after a long silence is not taken for one that waits since then', async (t) => {
  await pair(
    async (server, follower) => {
      await join2(server, follower)
      await shell(`echo one > ${server.directory}/f`)
      // The silence itself is what is tested.
      await new Promise((resolve) => setTimeout(resolve, 1500))
      follower.pause()
      const lost = server.events.length
      const drained = server.ask('drain')
      const { cause } = await server.event('linkLost', lost)
      t.regex(String(cause), /nothing was heard/)
      t.like(await drained, { code: 'E_RFS_HELD' })
      follower.resume()
    },
    { timeoutMs: 1000 },
  )
})

test('an allocation that fails half-way leaves the same file on both sides', async (t) => {
  await onSmallDisk(async (server, follower) => {
    await join2(server, follower)
    const { directory } = server
    await t.throwsAsync(shell(`fallocate -l 1G ${directory}/f`), { message: /No space left/ })
    await server.must('drain')
    t.is((await server.must('status'))['link'], 'live')
    t.is(await differences(directory, follower.directory), '')
  })
})

test('what was written is on the disk when a node has ended in order', async (t) => {
  await onSmallDisk(async (server) => {
    await shell(`echo kept > ${server.directory}/f`)
    await server.must('unserve', { force: false })
    // What a power cut would leave: the disk without what is still in memory.
    const after = join(server.base, 'after')
    mkdirSync(after)
    await shell(
      `cp ${server.base}/image ${server.base}/copy && mount -o loop ${server.base}/copy ${after}`,
    )
    try {
      t.is(await shell(`cat ${after}/f`), 'kept\n')
    } finally {
      await shell(`umount ${after}`)
    }
  })
})

test('a file that was changed under a name that moved and went away is the same under its other name', async (t) => {
  await pair(async (server, follower) => {
    const { directory } = server
    // There before anything was recorded.
    await server.must('unserve', { force: false })
    await shell(`mkdir ${directory}/d && echo before > ${directory}/y`)
    await server.must('serve', { generation: 'g1', alone: true })
    await join2(server, follower)
    await follower.must('unfollow')
    await server.event('linkLost')
    await server.must('detach', { epoch: 2, generation: 'g2' })
    await shell(`ln ${directory}/y ${directory}/d/x`)
    // Served anew: nothing is known of the other name.
    await server.must('unserve', { force: false })
    await server.must('serve', { generation: 'g2', alone: true })
    await shell(`cd ${directory} && echo after > d/x && mv d e && rm e/x`)
    await join2(server, follower, 3)
    await server.must('drain')
    t.is(readFileSync(join(follower.directory, 'y'), 'utf8'), 'after\n')
    t.is(await differences(directory, follower.directory), '')
  })
})

test('the time of a file that the kernel forgets at once is told all the same', async (t) => {
  await pair(async (server, follower) => {
    const { directory } = server
    await join2(server, follower)
    // Remounting drops everything that the kernel knows of the tree.
    const script = `
import ctypes
import os
os.mknod('${directory}/f')
ctypes.CDLL(None).mount(None, b'${directory}', None, 32, None)
`
    // The follower comes to each op later than the server, and its clock gives another time.
    follower.pause()
    const writing = shell(`python3 -c "${script}"`)
    for (let waits = false; !waits;) {
      const { counters } = await server.must('status')
      waits = JSON.stringify(counters).includes('"opsWaiting":1')
    }
    // Longer than what the kernel's clock of files can tell apart.
    await new Promise((resolve) => setTimeout(resolve, 20))
    follower.resume()
    await writing
    await server.must('drain')
    t.is(await differences(directory, follower.directory), '')
  })
})

test('a mount that lies beneath ours stays, also when one of several directories was busy at first', async (t) => {
  const plane = TestPlane.prepare('layers', {}, 2)
  const first = plane.directory
  const second = join(plane.base, 'data1')
  await shell(`mount -t tmpfs rfs-edges ${first}`)
  try {
    writeFileSync(join(first, 'data'), 'kept')
    await plane.start()
    await plane.must('serve', { generation: 'g1', alone: true })
    const release = await hold(second)
    t.like(await plane.ask('unserve', { force: false }), { code: 'E_RFS_BUSY' })
    await release()
    await plane.must('unserve', { force: true })
    t.false(isMounted(second))
    t.is(readFileSync(join(first, 'data'), 'utf8'), 'kept')
  } finally {
    await plane.kill()
    plane.unmount()
    await shell(`umount -l ${first} || true`)
    await plane.remove()
  }
})

test('what the file system of the directory forbids is forbidden on the mount too', async (t) => {
  const plane = TestPlane.prepare('flags')
  const { directory } = plane
  await shell(`mount -t tmpfs -o nosuid,nodev,noexec,nosymfollow rfs-edges ${directory}`)
  try {
    await plane.start()
    await plane.must('serve', { generation: 'g1', alone: true })
    t.true(isMounted(directory))
    await shell(`cd ${directory} && cp /bin/true program && mknod null c 1 3 && ln -s program link`)
    await t.throwsAsync(shell(`${directory}/program`), { message: /Permission denied/ })
    await t.throwsAsync(shell(`cat ${directory}/null`), { message: /Permission denied/ })
    await t.throwsAsync(shell(`cat ${directory}/link`), { message: /symbolic links/ })
    t.regex(await shell(`findmnt -nro OPTIONS ${directory} | tail -n 1`), /nosuid/)
  } finally {
    await plane.kill()
    plane.unmount()
    await shell(`umount -l ${directory} || true`)
    await plane.remove()
  }
})

/** Keeps a directory in use; resolves with what ends that. */
async function hold(directory: string): Promise<() => Promise<unknown>> {
  const { open } = await import('node:fs/promises')
  const file = await open(join(directory, 'held'), 'w')
  return () => file.close()
}

test('a circle of names, which only a hostile member can tell, ends in an error', (t) => {
  const volume = Volume.open(0, tmpdir(), new Descriptors(10))
  const { table } = volume
  const [outer, inner] = [table.obtain(1001, MODE.DIRECTORY), table.obtain(1002, MODE.DIRECTORY)]
  table.addName(outer, inner, 'a')
  table.addName(inner, outer, 'b')
  t.is(outer.path(), undefined)
  t.is(table.descriptor(inner), -E.LOOP)
  volume.close()
})

test('a file that can not be kept open does not lose its last name, and nothing that is made later is missed', async (t) => {
  await pair(async (server, follower) => {
    const { directory, pid } = server
    await shell(`cd ${directory} && for i in {0..59}; do echo here > f$i; done`)
    // Served anew: none of them is open.
    await server.must('unserve', { force: false })
    await server.must('serve', { generation: 'g1', alone: true })
    await join2(server, follower)
    const limit = async (most: number): Promise<string> =>
      shell(`prlimit --pid ${pid} --nofile=${most}:`)
    // Each file that lost its name takes a descriptor of the data plane for as long as it is open here.
    const script = `
import errno, os, sys
os.chdir('${directory}')
fds, refused = [], 0
for number in range(60):
    fd = os.open('f%d' % number, os.O_RDONLY)
    try: os.unlink('f%d' % number)
    except OSError as error:
        assert error.errno == errno.ENFILE, error
        refused += 1
        os.close(fd)
    else: fds.append(fd)
for fd in fds: assert os.pread(fd, 4, 0) == b'here'
print(refused, flush=True); input()
for fd in fds: os.close(fd)
for number in range(60):
    with open('new%d' % number, 'w') as file: file.write('new')
`
    const open = Number(await shell(`ls /proc/${pid}/fd | wc -l`))
    await limit(open + 10)
    const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const ended = new Promise((resolve) => child.on('close', resolve))
    try {
      t.true(Number((await lines.next()).value) > 0, 'all names could be taken away')
      await limit(4096)
      child.stdin.end('\n')
      t.is(await ended, 0)
    } finally {
      child.kill('SIGKILL')
    }
    await server.must('drain')
    t.is(await differences(directory, follower.directory), '')
  })
})

test('requests that were kept are given back in order, as many as there is room for', (t) => {
  const parked = new Parked()
  const request = new Request()
  const volume = Volume.open(0, tmpdir(), new Descriptors(10))
  const length = 48
  for (let number = 1; number <= 5; number++) {
    request.view.setUint32(0, length, true)
    request.view.setUint32(8, number, true)
    request.length = length
    parked.keep(volume, request)
  }
  const given: number[] = []
  let room = 3
  const replay = (): void => {
    parked.replay(
      request,
      (one) => {
        given.push(request.uniqueLow)
        room--
        // The third can't be done yet.
        if (given.length === 3) parked.keep(one, request)
      },
      () => room > 0,
    )
  }
  replay()
  t.deepEqual(given, [1, 2, 3])
  t.is(parked.count, 3)
  room = 9
  replay()
  t.deepEqual(given, [1, 2, 3, 3, 4, 5])
  t.is(parked.count, 0)
  volume.close()
})
