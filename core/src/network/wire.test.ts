/** What arrives from the network may be anything: it never ends the process and never passes for something else. */
import { randomBytes, randomInt } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { datagramBytesMax, decodeHeartbeat, encodeHeartbeat, type Heartbeat } from './heartbeat.js'
import { type Frame, FrameCutter, framed, jsonCodec } from './wire.js'

const key = randomBytes(32)
const beat: Heartbeat = {
  ...{ cluster: '0123456789abcdef', lan: 'lan0', from: 'node1', to: 'node2' },
  ...{ incarnation: { boot: 12, id: '12-0123456789abcdef' }, sequence: 3, sentMs: 17.5 },
  hears: false,
}

test('a heartbeat arrives as it was sent', (t) => {
  const datagram = encodeHeartbeat(beat, key)
  t.true(datagram.length < datagramBytesMax)
  t.deepEqual(decodeHeartbeat(datagram, key), beat)
})

test('who says nothing of whether it hears us, as older versions do, is taken to hear us', (t) => {
  const silent: Heartbeat = Object.assign({ ...beat }, { hears: undefined })
  t.like(decodeHeartbeat(encodeHeartbeat(silent, key), key), { hears: true })
  const wrong: Heartbeat = Object.assign({ ...beat }, { hears: 'no' })
  t.is(decodeHeartbeat(encodeHeartbeat(wrong, key), key), 'malformed')
})

test('a heartbeat of which any bit was changed, or made with another key, is refused', (t) => {
  const datagram = encodeHeartbeat(beat, key)
  for (let bit = 0; bit < datagram.length * 8; bit++) {
    const changed = Buffer.from(datagram)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    t.is(typeof decodeHeartbeat(changed, key), 'string')
  }
  t.is(decodeHeartbeat(datagram, randomBytes(32)), 'unauthentic')
})

test('a heartbeat of a newer version is told apart', (t) => {
  const datagram = encodeHeartbeat(beat, key)
  datagram[4] = 2
  t.is(decodeHeartbeat(datagram, key), 'newer')
})

test('ten thousand random datagrams are refused', (t) => {
  const accepted: string[] = []
  for (let round = 0; round < 10_000; round++) {
    const body = randomBytes(randomInt(0, 300))
    const datagram = round % 2 === 0 ? body : Buffer.concat([Buffer.from('HFHB\x01'), body])
    if (typeof decodeHeartbeat(datagram, key) !== 'string') accepted.push(datagram.toString('hex'))
  }
  t.deepEqual(accepted, [])
})

test('authentic datagrams with any JSON inside are decoded or refused, and never throw', (t) => {
  const names = fc.constantFrom('cluster', 'lan', 'from', 'to', 'sequence', 'sentMs', 'hears')
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue()), (changes) => {
        const changed: Heartbeat = Object.assign({ ...beat }, changes)
        const decoded = decodeHeartbeat(encodeHeartbeat(changed, key), key)
        return typeof decoded === 'string' || Number.isSafeInteger(decoded.sequence)
      }),
      { numRuns: 3_000 },
    )
  })
})

const frames: readonly Frame[] = [
  {
    ...{ kind: 'hello', protocol: { major: 1, minor: 3 }, cluster: 'c', node: 'n' },
    ...{ incarnation: beat.incarnation, revision: 4, version: '0.1.0' },
  } as const,
  { kind: 'alive' },
  { kind: 'goodbye', code: 'E_X', reason: 'why' },
  { kind: 'message', owner: 'm/mirror', body: { text: 'ü€😀' } },
  { kind: 'call', owner: 'm/mirror', id: 1, body: null },
  { kind: 'answer', id: 1, body: [1, 2] },
  { kind: 'refusal', id: 1, code: 'E_X', reason: 'why', hint: undefined },
]

test('frames arrive as they were sent, however the stream is cut', (t) => {
  const bytes = Buffer.concat(frames.map((frame) => framed(jsonCodec.encode(frame))))
  for (let round = 0; round < 300; round++) {
    const cutter = new FrameCutter()
    const heard: (Frame | undefined)[] = []
    for (let at = 0; at < bytes.length;) {
      const end = at + randomInt(1, round < 100 ? 4 : 200)
      heard.push(...(cutter.push(bytes.subarray(at, end)) ?? []).map(jsonCodec.decode))
      at = end
    }
    t.deepEqual(heard, [...frames])
  }
})

test('a frame of length 0, of more than 2 MiB, or with a text in place of a frame is refused', (t) => {
  const length = (bytes: number) => Buffer.from(bytes.toString(16).padStart(8, '0'), 'hex')
  t.is(new FrameCutter().push(length(0)), undefined)
  t.is(new FrameCutter().push(length(2 * 1024 * 1024 + 1)), undefined)
  t.deepEqual(new FrameCutter().push(length(2 * 1024 * 1024)), [])
  for (const text of [
    '',
    '7',
    'null',
    '[]',
    '{}',
    '{"kind":7}',
    '{"kind":"call"}',
    '{"kind":"he',
  ]) {
    t.is(jsonCodec.decode(Buffer.from(text)), undefined, text)
  }
  t.deepEqual(jsonCodec.decode(Buffer.from('{"kind":"later"}')), { kind: 'unknown' })
})

test('frames with any JSON in any field are decoded or refused, and never throw', (t) => {
  const names = ['kind', 'protocol', 'cluster', 'node', 'incarnation', 'revision', 'owner', 'id']
  t.notThrows(() => {
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.dictionary(fc.constantFrom(...names, 'code', 'reason', 'hint'), fc.jsonValue()),
        (frame, changes) => {
          const wire: unknown = JSON.parse(jsonCodec.encode(frame).toString())
          const fields = typeof wire === 'object' && wire !== null ? wire : {}
          const decoded = jsonCodec.decode(Buffer.from(JSON.stringify({ ...fields, ...changes })))
          return decoded === undefined || typeof decoded.kind === 'string'
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
