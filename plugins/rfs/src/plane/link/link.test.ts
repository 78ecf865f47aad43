/** What travels between the two data planes: the handshake, records, ops, and what a hostile peer may send. */
import { createCipheriv, randomBytes } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { MalformedRecord, OpReader } from '../follow/record.js'
import { E, SOCKET, addressOf, close, send, shutdown, socketpair } from '../libc.js'
import {
  LINK_KIND,
  keysOf,
  proves,
  readHello,
  readWelcome,
  writeConfirm,
  writeHello,
  writeWelcome,
  type Secrets,
} from './handshake.js'
import { ATTRIBUTE, KIND, OpWriter } from './ops.js'
import { InBuffer, Opener, OutBuffer, PAYLOAD_MAX, Sealer } from './records.js'

function secrets(over: Partial<Secrets> = {}): Secrets {
  return {
    key: randomBytes(32),
    session: randomBytes(16),
    kind: LINK_KIND.OPS,
    diallerNonce: randomBytes(32),
    serverNonce: randomBytes(32),
    ...over,
  }
}

/** Two connected sockets, closed in any case. */
function sockets(run: (a: number, b: number) => void): void {
  const ends = Buffer.alloc(8)
  const made = socketpair(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK, 0, ends)
  if (made < 0) throw new Error('no sockets')
  const a = ends.readInt32LE(0)
  const b = ends.readInt32LE(4)
  try {
    run(a, b)
  } finally {
    close(a)
    close(b)
  }
}

test('both sides of a handshake prove the same key and derive each other’s directions', (t) => {
  const ours = secrets()
  const hello = readHello(
    writeHello({
      kind: 0,
      session: Buffer.from(ours.session),
      nonce: Buffer.from(ours.diallerNonce),
    }),
  )
  t.like(hello, { kind: 0, session: ours.session, nonce: ours.diallerNonce })
  const welcome = readWelcome(writeWelcome(ours))
  if (typeof welcome === 'string') return t.fail(welcome)
  t.true(proves(ours, 'server', welcome.proof))
  t.true(proves(ours, 'dialler', writeConfirm(ours)))
  const server = keysOf(ours, 'server', true)
  const dialler = keysOf(ours, 'dialler', true)
  t.deepEqual(server.send, dialler.receive)
  t.deepEqual(server.receive, dialler.send)
  t.notDeepEqual(server.send, server.receive)
})

test('a proof is worth nothing with another key, nonce, session, kind or side', (t) => {
  const ours = secrets()
  const proof = writeConfirm(ours)
  t.false(proves(ours, 'server', proof))
  for (const over of [
    { key: randomBytes(32) },
    { session: randomBytes(16) },
    { kind: LINK_KIND.RESYNC },
    { diallerNonce: randomBytes(32) },
    { serverNonce: randomBytes(32) },
  ]) {
    t.false(proves({ ...ours, ...over }, 'dialler', proof))
  }
  t.false(proves(ours, 'dialler', proof.subarray(1)))
})

test('a second connection of the same session never has the keys of the first', (t) => {
  const first = secrets()
  const second = { ...first, serverNonce: randomBytes(32) }
  t.notDeepEqual(keysOf(first, 'server', true).send, keysOf(second, 'server', true).send)
})

for (const key of [undefined, randomBytes(32)]) {
  const how = key === undefined ? 'in clear' : 'sealed'
  test(`records of any size arrive as they were sent, however the socket cuts them (${how})`, (t) => {
    sockets((a, b) => {
      const out = new OutBuffer(new Sealer(key))
      const input = new InBuffer(new Opener(key))
      const sizes = [1, 16, 4096, 1_048_576, 3, PAYLOAD_MAX, 70_000, 1]
      const sent = sizes.map((size) => randomBytes(size))
      for (const payload of sent) {
        const at = out.open(payload.length)
        payload.copy(out.bytes, at)
        out.close()
      }
      for (const payload of sent) {
        const size = payload.length - Math.min(24, payload.length)
        const at = out.open(payload.length)
        payload.copy(out.bytes, at, 0, payload.length - size)
        out.closeWith({ from: payload, at: payload.length - size, size })
      }
      const arrived: Buffer[] = []
      for (let rounds = 0; rounds < 10_000 && arrived.length < 2 * sent.length; rounds++) {
        if (out.flush(a) < 0 || input.fill(b) < 0) return t.fail('broken')
        while (input.next()) {
          if (input.length < 0) return t.fail('malformed')
          arrived.push(Buffer.from(input.bytes.subarray(input.at, input.at + input.length)))
        }
      }
      t.is(arrived.length, 2 * sent.length)
      t.true([...sent, ...sent].every((payload, index) => arrived[index]?.equals(payload) === true))
      t.is(out.waiting, 0)
    })
  })
}

test('a sealed record is what the cipher of Node makes of it: its number is the nonce, its length is protected', (t) => {
  const key = randomBytes(32)
  const sealer = new Sealer(key)
  for (let number = 0; number < 300; number++) {
    const payload = randomBytes(number < 299 ? 1 + number * 151 : PAYLOAD_MAX)
    const record = Buffer.concat([Buffer.alloc(4), payload, Buffer.alloc(16)])
    // What lies elsewhere is sealed on its way: the record must be the same.
    const size = number % 2 === 0 ? 0 : Math.max(0, payload.length - (number % 50))
    const at = payload.length - size
    record.fill(0, 4 + at)
    if (size === 0) sealer.seal(record, 0, payload.length)
    else sealer.sealWith(record, 0, payload.length, { from: payload, at, size }, addressOf(record))
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32LE(number, 0)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(record.subarray(0, 4))
    const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()])
    t.true(record.subarray(4).equals(sealed), `record ${number}`)
  }
})

test('a sealed record in which one bit was changed is refused', (t) => {
  const key = randomBytes(32)
  for (const place of [0, 4, 20, 4 + 32, 4 + 32 + 15]) {
    sockets((a, b) => {
      const bytes = Buffer.alloc(4 + 32 + 16)
      new Sealer(key).seal(bytes, 0, 32)
      bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place)
      send(a, bytes, bytes.length, 0)
      const input = new InBuffer(new Opener(key))
      input.fill(b)
      // A changed length leaves a record that is not complete, or one that can't be opened.
      t.true(!input.next() || input.length < 0, `byte ${place}`)
    })
  }
})

test('a length of nothing, or of more than a record may have, is malformed; the end is told as such', (t) => {
  for (const length of [0, PAYLOAD_MAX + 1, 0xffff_ffff]) {
    sockets((a, b) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32LE(length, 0)
      send(a, bytes, bytes.length, 0)
      const input = new InBuffer(new Opener(undefined))
      input.fill(b)
      t.true(input.next())
      t.is(input.length, -1)
    })
  }
  sockets((a, b) => {
    const input = new InBuffer(new Opener(undefined))
    t.is(input.fill(b), 0)
    shutdown(a, SOCKET.SHUT_RDWR)
    t.is(input.fill(b), -E.PIPE)
  })
})

/** Writes one op and gives it to a reader. */
function through(write: (ops: OpWriter) => void, cut?: number): OpReader {
  const out = new OutBuffer(new Sealer(undefined))
  write(new OpWriter(out))
  const reader = new OpReader()
  sockets((a, b) => {
    out.flush(a)
    const input = new InBuffer(new Opener(undefined))
    input.fill(b)
    input.next()
    if (cut !== undefined) input.length = cut
    reader.start(input)
  })
  return reader
}

test('names are any bytes but those that lead out of their directory', (t) => {
  const write = (name: string) => (ops: OpWriter) => {
    ops.link(0, 7, 1, name)
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), (bytes) => {
      const name = Buffer.from(bytes).toString('latin1')
      const reader = through(write(name))
      t.is(reader.u64(), 1)
      const allowed = name !== '.' && name !== '..' && !/[/\0]/.test(name)
      if (allowed) t.is(reader.name(), name)
      else t.throws(() => reader.name(), { instanceOf: MalformedRecord })
    }),
    { numRuns: 100 },
  )
  for (const name of ['.', '..', 'a/b', '/', 'a\0', '', 'x'.repeat(256)]) {
    const reader = through(write(name))
    reader.u64()
    t.throws(() => reader.name(), { instanceOf: MalformedRecord }, JSON.stringify(name))
  }
})

test('an op that ends too early is malformed wherever it ends', (t) => {
  const attributes = {
    valid: ATTRIBUTE.MODE,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSeconds: -1,
    atimeNanos: 0,
    mtimeSeconds: 2 ** 40,
    mtimeNanos: 999_999_999,
  }
  const whole = through((ops) => ops.attributes(1, 9, attributes))
  t.is(whole.kind, KIND.ATTRIBUTES)
  t.is(whole.rest, 48)
  for (let length = 0; length < 16 + 48; length++) {
    t.throws(
      () => {
        const reader = through((ops) => ops.attributes(1, 9, attributes), length)
        reader.u32()
        reader.u32()
        reader.u64()
        reader.seconds()
        reader.u32()
        reader.u32()
        reader.seconds()
        reader.u32()
        reader.u32()
      },
      { instanceOf: MalformedRecord },
      `cut at ${length}`,
    )
  }
})
