/** The data plane as a whole: real mounts, two processes, one machine. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import ava from 'ava'
import { HELLO_BYTES, LINK_KIND, NONCE_BYTES, writeHello } from './link/handshake.js'
import { TestPlane, differences, isMounted, join2, pair, shell } from './plane.fixture.js'

// One after the other: each runs several processes, and time-outs are part of what is tested.
const test = ava.serial

test('a write waits when the follower dies, until the order to go on alone; reads go on', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    await shell(`echo before > ${server.directory}/f`)
    await follower.kill()
    await server.event('linkLost')
    const events = server.events.filter(({ event }) => event === 'linkLost')
    t.like(events[0], { wasLive: true })
    let done = false
    const writing = shell(`echo after > ${server.directory}/g`).then(() => {
      done = true
    })
    // Reads are answered although the write before them is not.
    t.is(await shell(`cat ${server.directory}/f`), 'before\n')
    t.is((await server.must('status'))['link'], 'held')
    t.false(done)
    t.like(await server.ask('drain'), { code: 'E_RFS_HELD' })
    await server.must('detach', { epoch: 2, generation: 'g2' })
    await writing
    t.is(readFileSync(join(server.directory, 'g'), 'utf8'), 'after\n')
    t.like(await server.must('status'), { generation: 'g2', link: 'none' })
  })
})

test('a node that gives up its role answers what waits with an error, and nothing that was acknowledged is lost', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    await shell(`echo kept > ${server.directory}/f`)
    const lost = server.events.length
    await follower.kill()
    await server.event('linkLost', lost)
    const waiting = t.throwsAsync(shell(`echo more >> ${server.directory}/f`), {
      message: /Input\/output error/,
    })
    await server.must('refuse')
    await waiting
    await t.throwsAsync(shell(`touch ${server.directory}/g`), { message: /Input\/output error/ })
    t.is(readFileSync(join(server.directory, 'f'), 'utf8'), 'kept\n')
    t.like(
      await server.ask('admit', {
        epoch: 3,
        full: false,
        session: '00'.repeat(16),
        key: '00'.repeat(32),
      }),
      {
        code: 'E_RFS_REFUSING',
      },
    )
  })
})

test('nobody else writes into the directory of a follower, and afterwards everybody can again', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    await shell(`echo one > ${server.directory}/f`)
    t.is(await shell(`cat ${follower.directory}/f`), 'one\n')
    await t.throwsAsync(shell(`touch ${follower.directory}/g`), {
      message: /Read-only file system/,
    })
    await follower.must('unfollow')
    await shell(`touch ${follower.directory}/g`)
  })
})

test('a write in flight when the follower freezes is answered only after going on alone', async (t) => {
  await pair(
    async (server, follower) => {
      await join2(server, follower)
      follower.pause()
      const lost = server.events.length
      let done = false
      const writing = shell(`echo one > ${server.directory}/f`).then(() => {
        done = true
      })
      await server.event('linkLost', lost)
      t.false(done)
      await server.must('detach', { epoch: 2, generation: 'g2' })
      await writing
      follower.resume()
      t.is(await shell(`cat ${server.directory}/f`), 'one\n')
    },
    { timeoutMs: 2000 },
  )
})

test('a follower that comes back gets only what changed, while writes go on', async (t) => {
  await pair(async (server, follower) => {
    const { directory } = server
    await shell(`cd ${directory} && mkdir d && for i in {1..200}; do echo $i > d/$i; done`)
    await shell(`head -c 20000000 /dev/urandom > ${directory}/big`)
    await join2(server, follower)
    await follower.must('unfollow')
    await server.event('linkLost')
    await server.must('detach', { epoch: 2, generation: 'g2' })
    await shell(`cd ${directory} && rm d/7 && mv d/8 d/eight && echo more >> d/9 && ln d/10 d/ten`)
    await shell(`printf xyz | dd of=${directory}/big bs=1 seek=5000000 conv=notrunc 2>/dev/null`)
    const writing = shell(`cd ${directory} && for i in {1..300}; do echo $i > w$i; done; rm w1*`)
    const from = server.events.length
    await join2(server, follower, 3)
    await writing
    await server.must('drain')
    t.is(await differences(directory, follower.directory), '')
    const scoped = server.events.slice(from).find(({ name }) => name === 'copyScoped')
    t.like(scoped, { fields: { scope: 'keys' } })
  })
})

test('what the old primary had in flight when it died is corrected when it follows', async (t) => {
  const first = TestPlane.prepare('first')
  const second = TestPlane.prepare('second')
  try {
    await first.start()
    await second.start()
    await first.must('serve', { generation: 'g1', alone: true })
    await join2(first, second)
    await shell(`echo both > ${first.directory}/f`)
    // The link is cut (the follower stands still); the primary changes its disk, and dies before anybody has it.
    second.pause()
    const writing = shell(`echo lost > ${first.directory}/f; echo lost > ${first.directory}/g`)
    // Changed here and sent, and nobody has it: one op that waits.
    for (let waits = false; !waits;) {
      const { counters } = await first.must('status')
      waits = JSON.stringify(counters).includes('"opsWaiting":1')
    }
    await first.kill()
    second.resume()
    await t.throwsAsync(writing)
    first.unmount()
    await second.must('unfollow')
    await second.must('serve', { generation: 'g2', alone: true })
    await shell(`echo new > ${second.directory}/h`)
    await first.start()
    await join2(second, first, 5)
    await second.must('drain')
    t.is(await differences(second.directory, first.directory), '')
    t.is(
      readFileSync(join(first.directory, 'f'), 'utf8'),
      readFileSync(join(second.directory, 'f'), 'utf8'),
    )
  } finally {
    await first.remove()
    await second.remove()
  }
})

test('open files survive that they lose their names, and files without a name get one', async (t) => {
  await pair(async (server, follower) => {
    const { directory } = server
    const script = `
      import os
      os.chdir(${JSON.stringify(directory)})
      early = os.open('.', os.O_TMPFILE | os.O_RDWR)
      os.write(early, b'early' * 1000)
      print('ready', flush=True)
      input()
      gone = os.open('gone', os.O_CREAT | os.O_RDWR)
      os.unlink('gone')
      os.write(gone, b'x' * 10000)
      os.link('/proc/self/fd/%d' % early, 'early', src_dir_fd=early)
      os.write(early, b'late')
      late = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640)
      os.write(late, b'hello')
      os.link('/proc/self/fd/%d' % late, 'late', src_dir_fd=late)
      assert os.pread(gone, 10, 0) == b'x' * 10
      a = os.open('two', os.O_CREAT | os.O_RDWR)
      os.link('two', 'deux')
      os.unlink('two')
      os.write(a, b'by the other name')
      os.fsync(a)
    `.replaceAll('\n      ', '\n')
    const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    await join2(server, follower)
    child.stdin.end('\n')
    t.is(await ended, 0)
    await server.must('drain')
    t.is(await differences(directory, follower.directory), '')
    t.is(readFileSync(join(follower.directory, 'deux'), 'utf8'), 'by the other name')
    t.is(readFileSync(join(follower.directory, 'early')).length, 5004)
  })
})

test('an empty file that was made without a name has the same time on both sides when it gets one', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    follower.pause()
    const script = `import os
os.chdir('${server.directory}')
fd = os.open('.', os.O_TMPFILE | os.O_RDWR)
os.link('/proc/self/fd/%d' % fd, 'late', src_dir_fd=fd)`
    const making = shell(`python3 -c "${script}"`)
    for (let waits = false; !waits;) {
      const { counters } = await server.must('status')
      waits = JSON.stringify(counters).includes('"opsWaiting":1')
    }
    // The clock from which files get their times goes on.
    await delay(20)
    follower.resume()
    await making
    await server.must('drain')
    t.is(await differences(server.directory, follower.directory), '')
  })
})

test('a stranger, a wrong key and garbage end their own connection and nothing else', async (t) => {
  await pair(async (server, follower) => {
    await join2(server, follower)
    const { port } = server.launch.listen
    const nonce = randomBytes(NONCE_BYTES)
    const stranger = writeHello({ kind: LINK_KIND.OPS, session: randomBytes(16), nonce })
    const oldVersion = Buffer.from(stranger)
    oldVersion.writeUInt8(9, 5)
    for (const bytes of [randomBytes(HELLO_BYTES), stranger, oldVersion, Buffer.alloc(1_000_000)]) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined).on('close', () => resolve())
        socket.write(bytes)
        socket.resume()
      })
    }
    t.is((await server.must('status'))['link'], 'live')
    await shell(`echo fine > ${server.directory}/f`)
    t.is(readFileSync(join(follower.directory, 'f'), 'utf8'), 'fine\n')
  })
})

test('a busy mount is left as it is, and a forced end keeps its users from writing', async (t) => {
  const plane = TestPlane.prepare('busy')
  try {
    await plane.start()
    await plane.must('serve', { generation: 'g1', alone: true })
    const holder = spawn('bash', ['-c', `exec 5> ${plane.directory}/f; echo; read; echo no >&5`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const code = new Promise((resolve) => holder.on('close', resolve))
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    t.like(await plane.ask('unserve', { force: false }), { code: 'E_RFS_BUSY' })
    t.like(await plane.must('status'), { role: 'serving' })
    t.true(isMounted(plane.directory))
    await plane.must('unserve', { force: true })
    t.false(isMounted(plane.directory))
    holder.stdin.end('\n')
    t.not(await code, 0)
    t.is(readFileSync(join(plane.directory, 'f'), 'utf8'), '')
    t.like(await plane.must('status'), { role: 'idle' })
  } finally {
    await plane.remove()
  }
})

test('orders that do not fit are refused with a reason, and change nothing', async (t) => {
  const plane = TestPlane.prepare('orders')
  try {
    await plane.start()
    t.like(await plane.ask('detach', { epoch: 1, generation: 'g' }), { code: 'E_RFS_ROLE' })
    t.like(await plane.ask('serve', { generation: 5 }), { code: 'E_RFS_ORDER' })
    t.like(await plane.ask('nonsense'), { code: 'E_RFS_ORDER' })
    rmSync(plane.directory, { recursive: true })
    const missing = await plane.ask('serve', { generation: 'g', alone: true })
    t.like(missing, { code: 'E_RFS_ROOT' })
    t.like(await plane.must('status'), { role: 'idle' })
    mkdirSync(plane.directory)
    writeFileSync(join(plane.directory, 'f'), 'kept')
    await plane.must('serve', { generation: 'g', alone: true })
    t.is(await shell(`cat ${plane.directory}/f`), 'kept')
    await plane.must('unserve', { force: false })
    await plane.must('exit')
  } finally {
    await plane.remove()
  }
})
