/** Whatever arrives on the replication link and on the control socket: it ends a connection, with a reason, never the process. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import ava from 'ava'
import { randomFrom } from './battery-values.fixture.js'
import { TestPlane, differences, join2, pair, shell } from './plane.fixture.js'
import { Tamper } from './tamper.fixture.js'

// One after the other: each runs several processes.
const test = ava.serial
const ROUNDS = Number(process.env['HOLDFAST_FUZZ_ROUNDS'] ?? 4)
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 7)

const WORK = `
mkdir -p d && for i in 1 2 3 4 5 6; do
  echo $i > f$i; ln f$i d/l$i; chmod 600 f$i; mv f$i d/; ln -sf nowhere s; mkfifo p; rm p
  setfattr -n user.a -v $i d/f$i; truncate -s 100000 d/f$i; rm d/f$i
done; sync d/l1`

/** A session through a wire that spoils frames; resolves when it is over and both sides are as before. */
async function spoiledSession(
  server: TestPlane,
  follower: TestPlane,
  random: (below: number) => number,
  epoch: number,
): Promise<number> {
  const tamper = await Tamper.open(server.launch.listen.port, random)
  const [session, key] = [randomBytes(16).toString('hex'), randomBytes(32).toString('hex')]
  const from = follower.events.length
  await server.must('admit', { epoch, full: epoch % 2 === 0, session, key })
  const order = { epoch, full: epoch % 2 === 0, address: '127.0.0.1', port: tamper.port }
  await follower.must('follow', { ...order, session, key })
  await Promise.race([
    follower.event('linkLost', from),
    follower.event('copyFinished', from).then(() => undefined),
  ])
  // Should all frames of the copy have been whole, those of live changes are spoiled.
  const working = shell(`cd ${server.directory} && ${WORK}`)
  await Promise.race([working, server.event('linkLost').catch(() => undefined)])
  tamper.close()
  await server.must('detach', { epoch, generation: `g${epoch}` })
  await working
  await follower.must('unfollow')
  return tamper.spoiled
}

test('frames that were spoiled on their way end the session, on both sides, and neither process', async (t) => {
  t.timeout(240_000)
  const options = { encryption: false, timeoutMs: 2000 }
  const server = TestPlane.prepare('server', options)
  const follower = TestPlane.prepare('follower', options)
  const random = randomFrom(SEED)
  try {
    // What a spoiled op allocates must not be the disk of this machine.
    await shell(`mount -t tmpfs -o size=64m hfrfs-hostile ${follower.directory}`)
    await server.start()
    await follower.start()
    const pids = [server.pid, follower.pid]
    await server.must('serve', { generation: 'g0', alone: true })
    await shell(
      `cd ${server.directory} && for i in {1..30}; do head -c 9000 /dev/urandom > $i; done`,
    )
    let spoiled = 0
    for (let round = 1; round <= ROUNDS; round++) {
      spoiled += await spoiledSession(server, follower, random, round)
    }
    t.log(`seed ${SEED}: ${spoiled} frames were spoiled`)
    t.true(spoiled >= ROUNDS, 'the wire was harmless')
    const alive = [await server.must('status'), await follower.must('status')]
    t.deepEqual(
      alive.map(({ pid }) => pid),
      pids,
      'a process ended',
    )
    const causes = [...server.events, ...follower.events].filter(
      ({ event }) => event === 'linkLost',
    )
    t.true(causes.every(({ cause }) => typeof cause === 'string' && cause !== ''))
    await join2(server, follower, ROUNDS + 1, true)
    await server.must('drain')
    t.is(await differences(server.directory, follower.directory), '')
  } finally {
    await follower.kill()
    follower.unmount()
    await shell(`umount -l ${follower.directory} || true`)
    await server.remove()
    await follower.remove()
  }
})

test('strangers who knock and say nothing do not keep the follower out', async (t) => {
  await pair(async (server, follower) => {
    const strangers = Array.from({ length: 30 }, () =>
      connect(server.launch.listen.port, '127.0.0.1'),
    )
    try {
      await Promise.all(
        strangers.map((socket) =>
          once(
            socket.on('error', () => undefined),
            'connect',
          ),
        ),
      )
      await join2(server, follower)
      t.is((await server.must('status'))['link'], 'live')
    } finally {
      for (const socket of strangers) socket.destroy()
    }
  })
})

/** Says these bytes to the control socket; resolves with what was answered when `enough` of it came or the connection ended. */
async function said(path: string, bytes: Buffer, enough: RegExp): Promise<string> {
  const socket = connect(path)
  let answer = ''
  const over = new Promise<void>((resolve) => {
    socket
      .on('error', () => undefined)
      .on('close', () => {
        resolve()
      })
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
      if (enough.test(answer)) resolve()
    })
  })
  await once(socket, 'connect')
  socket.write(bytes)
  await over
  socket.destroy()
  return answer
}

test('what is no order ends its control connection or is refused, and the next one is answered', async (t) => {
  const plane = await TestPlane.prepare('control').start()
  const random = randomFrom(SEED)
  const values = [null, 5, -1, 1e300, 'x', '', [], {}, true, 'y'.repeat(70_000), [[[[{}]]]]]
  const orders =
    'status serve resume admit detach drain refuse verify endVerify unserve follow unfollow'
  const garbage = Array.from({ length: 40 }, () => {
    const fields =
      'generation alone epoch full session key address port force volume path repair aside'
    const any = (): unknown => values[random(values.length)]
    const line = Object.fromEntries(fields.split(' ').map((field) => [field, any()]))
    const order = random(8) === 0 ? any() : orders.split(' ')[random(12)]
    return Buffer.from(JSON.stringify({ ...line, id: random(4) === 0 ? any() : 1, order }) + '\n')
  })
  const broken = [
    Buffer.from('{"id":1,"order":\n'),
    Buffer.from('[1,2]\nnull\n5\n'),
    Buffer.from('\n\n\n'),
    Buffer.from('{"__proto__":{"order":"exit"},"id":1}\n'),
    randomBytes(5000),
    Buffer.alloc(3 * 1024 * 1024, 'z'),
  ]
  try {
    const status = Buffer.from('{"id":9,"order":"status"}\n')
    for (const bytes of [...garbage, ...broken]) {
      // A line with an order is answered at once; what is none ends its connection, or is followed by a question.
      await said(plane.launch.socket, Buffer.concat([bytes, status]), /"id":9/)
      const answer = await said(plane.launch.socket, status, /\n/)
      t.regex(answer, new RegExp(`"pid":${plane.pid}\\b`), bytes.toString('latin1', 0, 300))
    }
  } finally {
    await plane.remove()
  }
})
