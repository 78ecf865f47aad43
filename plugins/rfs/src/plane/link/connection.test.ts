/** Keep-alives of an idle link: what wakes a side, what is heard, and when a link is lost. The clock is the test's. */
import { randomBytes } from 'node:crypto'
import test from 'ava'
import { POLL, SOCKET, addressOf, close, poll, recv, shutdown } from '../libc.js'
import { Loop } from '../loop.js'
import { Connection } from './connection.js'
import { KIND } from './ops.js'
import { acceptTcp, dialTcp, listenTcp, portOf } from './sockets.js'

const timeoutMs = 1_000
const pulseMs = 200
const MSG_PEEK = 2
/** For what a loaded machine may be late with. */
const patienceMs = 30_000

interface Side {
  readonly connection: Connection
  /** Kinds of the records that it took. */
  readonly took: number[]
  readonly lost: string[]
}

interface Ends {
  readonly loop: Loop
  readonly server: Side
  readonly follower: Side
}

function side(loop: Loop, fd: number, keys: [Buffer, Buffer] | undefined, begins: boolean): Side {
  const took: number[] = []
  const lost: string[] = []
  const [send, receive] = keys ?? [undefined, undefined]
  const parts = {
    ...{ begins, onLost: (cause: string) => void lost.push(cause) },
    onRecord: ({ bytes, at }: { readonly bytes: Buffer; readonly at: number }) => {
      took.push(bytes[at] ?? 0)
      return undefined
    },
  }
  return { took, lost, connection: new Connection(loop, fd, { send, receive }, timeoutMs, parts) }
}

/** Both ends of a link whose loop does not run: each test says when something is looked at. */
async function ends(run: (ends: Ends) => void, isSealed = true): Promise<void> {
  const listener = listenTcp('127.0.0.1', 0)
  const dialled = dialTcp('127.0.0.1', portOf(listener))
  isReadable(listener, patienceMs)
  const accepted = acceptTcp(listener)
  close(listener)
  const loop = new Loop()
  const [one, other] = [randomBytes(32), randomBytes(32)]
  const server = side(loop, accepted, isSealed ? [one, other] : undefined, true)
  const follower = side(loop, dialled, isSealed ? [other, one] : undefined, false)
  try {
    run({ loop, server, follower })
  } finally {
    server.connection.close()
    follower.connection.close()
  }
  return Promise.resolve()
}

function isReadable(fd: number, waitMs = 0): boolean {
  const asked = Buffer.alloc(8)
  asked.writeInt32LE(fd, 0)
  asked.writeInt16LE(POLL.IN, 4)
  return poll(addressOf(asked), 1, waitMs) === 1
}

/** Waits until this much has arrived, whether it wakes somebody or not. */
function arrived({ connection }: Side, bytes: number): void {
  const peeked = Buffer.alloc(bytes)
  const until = performance.now() + patienceMs
  while (recv(connection.fd, addressOf(peeked), bytes, MSG_PEEK) < bytes) {
    if (performance.now() > until) throw new Error(`${bytes} bytes do not arrive`)
  }
}

const pulseBytes = { sealed: 4 + 16 + 16, clear: 4 + 16 }

/** The server sends a keep-alive, rests, and the follower answers. */
function exchange({ loop, server, follower }: Ends, bytes = pulseBytes.sealed): void {
  loop.now += pulseMs
  server.connection.tick(undefined, true)
  isReadable(follower.connection.fd, patienceMs)
  follower.connection.onReady(POLL.IN)
  arrived(server, bytes)
}

for (const [how, bytes] of Object.entries(pulseBytes)) {
  test(`a keep-alive wakes the follower, its answer wakes no server, and both are heard (${how})`, async (t) => {
    await ends((all) => {
      const { loop, server, follower } = all
      for (let round = 1; round <= 20; round++) {
        exchange(all, bytes)
        t.false(isReadable(server.connection.fd), 'the answer wakes the server')
        t.is(follower.took.length, round)
        t.is(server.took.length, round - 1, 'the answer before was taken with this keep-alive')
      }
      t.true(new Set([...server.took, ...follower.took]).size === 1)
      server.connection.look()
      t.is(server.took.length, 20)
      t.is(server.connection.heardMsAgo, 0, 'it came after the last keep-alive')
      loop.now += pulseMs / 2
      t.is(server.connection.heardMsAgo, pulseMs / 2)
      t.deepEqual([...server.lost, ...follower.lost], [])
    }, how === 'sealed')
  })
}

test('after a rest, an answer as short as a keep-alive wakes a server that asked for it', async (t) => {
  await ends((all) => {
    const { server, follower } = all
    exchange(all)
    t.false(isReadable(server.connection.fd))
    server.connection.ops.plain(KIND.FENCE)
    server.connection.flush()
    t.true(isReadable(server.connection.fd), 'what had come meanwhile')
    server.connection.onReady(POLL.IN)
    t.true(isReadable(follower.connection.fd, patienceMs))
    follower.connection.ops.plain(KIND.APPLIED, 0, 1)
    follower.connection.flush()
    t.true(isReadable(server.connection.fd, patienceMs))
    server.connection.onReady(POLL.IN)
    t.is(server.took.at(-1), KIND.APPLIED)
  })
})

test('what was sent past the connection ends a rest as well', async (t) => {
  await ends((all) => {
    const { server, follower } = all
    exchange(all)
    server.connection.look()
    server.connection.ops.plain(KIND.FENCE)
    server.connection.out.flush(server.connection.fd)
    server.connection.flush()
    follower.connection.ops.plain(KIND.APPLIED, 0, 1)
    follower.connection.flush()
    t.true(isReadable(server.connection.fd, patienceMs))
  })
})

test('a follower that fails or ends wakes a server that rests', async (t) => {
  await ends((all) => {
    exchange(all)
    all.server.connection.look()
    all.follower.connection.ops.failed('no space')
    all.follower.connection.flush()
    t.true(isReadable(all.server.connection.fd, patienceMs))
    all.server.connection.onReady(POLL.IN)
    t.is(all.server.took.at(-1), KIND.FAILED)
  })
  await ends((all) => {
    exchange(all)
    all.server.connection.look()
    shutdown(all.follower.connection.fd, SOCKET.SHUT_RDWR)
    t.true(isReadable(all.server.connection.fd, patienceMs))
    all.server.connection.onReady(POLL.IN)
    t.is(all.server.lost.length, 1)
  })
})

test('a server that rests loses a silent link at its time-out, and not before', async (t) => {
  await ends((all) => {
    const { loop, server } = all
    exchange(all)
    const heard = loop.now
    // What came after this keep-alive is taken with the next one, and counts from this one on.
    for (const later of [pulseMs, timeoutMs - 1]) {
      loop.now = heard + later
      server.connection.tick(undefined, true)
      t.deepEqual(server.lost, [])
    }
    t.true(server.connection.due(undefined) <= heard + timeoutMs)
    loop.now = heard + timeoutMs
    server.connection.tick(undefined, true)
    t.deepEqual(server.lost, [`nothing was heard for ${timeoutMs} ms`])
  })
})
