/** Messages, maxima, and neighbours that do not behave, with real sockets on loopback addresses. */
import { randomBytes, randomInt, X509Certificate } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { HoldfastError, type PeerEvent, type Peers } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { type Keyring, readKeyring } from '../cluster/keyring.js'
import { Rig, until } from '../cluster/rig.fixture.js'
import type { ClusterService } from '../cluster/service.js'
import { dialMember, joinProtocol } from './tls.js'
import { FrameCutter, type Frame, framed, type Hello, jsonCodec } from './wire.js'

function withRig(
  title: string,
  run: (t: ExecutionContext, rig: Rig) => Promise<void>,
  declare: (title: string, run: (t: ExecutionContext) => Promise<void>) => void = test,
): void {
  declare(title, async (t) => {
    const rig = new Rig()
    try {
      await run(t, rig)
    } finally {
      await rig.remove()
    }
  })
}

function peersOf(service: ClusterService | undefined, owner = 'm/test'): Peers {
  const member = service?.current()
  if (member === undefined) throw new Error('the node is a member')
  return member.network.peersFor(owner, () => member.config.nodes)
}

function refusal(t: ExecutionContext, act: Promise<unknown>): Promise<HoldfastError> {
  return t.throwsAsync(act, { instanceOf: HoldfastError })
}

async function closed(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.resume().once('close', resolve))
}

/** A program that has the keys of `node` and speaks for itself. */
class Impostor {
  readonly heard: (Frame | undefined)[] = []
  private constructor(readonly socket: TLSSocket) {}

  static dial(rig: Rig, keyring: Keyring, names: [string, string]): Impostor {
    const [node, target] = names
    const { subjectAltName = '' } = new X509Certificate(keyring.certificatePem)
    const [, , cluster = ''] = subjectAltName.split(':')
    const to = { cluster, node: target, address: rig.address(target) }
    const localAddress = rig.address(node)
    const impostor = new Impostor(dialMember({ ...to, port: rig.port, localAddress }, keyring))
    const cutter = new FrameCutter()
    impostor.socket.on('error', () => undefined)
    impostor.socket.on('data', (chunk: Buffer) => {
      impostor.heard.push(...(cutter.push(chunk) ?? []).map(jsonCodec.decode))
    })
    return impostor
  }

  get isClosed(): boolean {
    return this.socket.destroyed
  }

  says(frame: Frame): void {
    this.socket.write(framed(jsonCodec.encode(frame)))
  }
}

function helloOf(rig: Rig, service: ClusterService | undefined, node: string): Hello {
  const boot = Math.floor(rig.clock().wallMs() / 1000) + 1_000
  const id = `${String(boot)}-${randomBytes(8).toString('hex')}`
  const cluster = service?.view().cluster ?? ''
  const rest = { protocol: { major: 1, minor: 0 }, revision: 1, version: '0.1.0' }
  return { kind: 'hello', cluster, node, incarnation: { boot, id }, ...rest }
}

/** A cluster of two in which an impostor can take the place of node1, which dials. */
async function clusterWithout1(rig: Rig): Promise<{ two: ClusterService; keyring: Keyring }> {
  const [, two] = await rig.cluster(['node1', 'node2'])
  const keyring = await readKeyring(join(await rig.root('node1'), 'etc/holdfast'))
  await rig.stop('node1')
  if (two === undefined) throw new Error('node 2 is a member')
  await until('node 1 is gone', () => !peersOf(two).state('node1').connected)
  return { two, keyring }
}

withRig('messages arrive in order at the same owner only', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2'])
  const heard: unknown[] = []
  const others: unknown[] = []
  peersOf(two, 'm/a').onMessage((node, message) => heard.push([node, message]))
  peersOf(two, 'm/b').onMessage((_node, message) => others.push(message))
  for (let at = 0; at < 500; at++) t.true(peersOf(one, 'm/a').send('node2', { at }))
  await until('all have arrived', () => heard.length === 500)
  t.deepEqual(
    heard,
    Array.from({ length: 500 }, (_, at) => ['node1', { at }]),
  )
  t.deepEqual(others, [])
  t.false(peersOf(one).send('node7', {}))
})

/** On a loaded machine an answer may take seconds; nothing waits for it to pass. */
const answerMsMax = 30_000

withRig('a call has one answer, or the error of whoever answers', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2'])
  const from = peersOf(one)
  t.is((await refusal(t, from.call('node2', {}, answerMsMax))).code, 'E_PEER_OWNER')
  peersOf(two).onCall(async (node, message) => {
    if (message === 'never') await new Promise(() => undefined)
    if (message === 'no') throw new HoldfastError('E_TEST', 'not now', { hint: 'later' })
    return { node, message }
  })
  t.deepEqual(await from.call('node2', [1], answerMsMax), { node: 'node1', message: [1] })
  t.like(await refusal(t, from.call('node2', 'no', answerMsMax)), { code: 'E_TEST', hint: 'later' })
  t.is((await refusal(t, from.call('node2', 'never', 50))).code, 'E_PEER_TIMEOUT')
  const lost = from.call('node2', 'never', 60_000)
  await rig.stop('node2')
  t.is((await refusal(t, lost)).code, 'E_PEER_LOST')
  t.is((await refusal(t, from.call('node2', 1, answerMsMax))).code, 'E_PEER_UNREACHABLE')
})

withRig('a full queue refuses, and what it accepted arrives', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2'])
  const from = peersOf(one)
  let heard = 0
  peersOf(two).onMessage(() => heard++)
  let sent = 0
  while (sent < 5_000 && from.send('node2', sent)) sent++
  t.true(sent > 900 && sent <= 1024, String(sent))
  await until('all that was accepted has arrived', () => heard === sent)
  const large = 'x'.repeat(1024 * 1024 - 100)
  let largeSent = 0
  while (largeSent < 100 && from.send('node2', large)) largeSent++
  t.is(largeSent, 8)
  await until('the large ones have arrived', () => heard === sent + largeSent)
  t.true(from.send('node2', large))
  t.throws(() => from.send('node2', large + large), { code: 'E_PEER_MESSAGE_SIZE' })
})

withRig('a watcher hears of silence and return, and of the connection', async (t, rig) => {
  const [one] = await rig.cluster(['node1', 'node2'])
  const events: PeerEvent['kind'][] = []
  peersOf(one).watch('node2', { timeoutMs: 2_000, lans: [] }, ({ kind }) => events.push(kind))
  t.deepEqual(events, ['peerConnected', 'peerHeard'])
  await rig.stop('node2')
  await until('silence is told', () => events.includes('peerSilent'))
  t.deepEqual(events.slice(2), ['peerDisconnected', 'peerSilent'])
  await rig.start('node2')
  await until('both are back', () => events.length === 6)
  t.deepEqual(events.slice(4).sort(), ['peerConnected', 'peerHeard'])
})

withRig(
  'a blocked event loop is not read as the silence of the peer',
  async (t, rig) => {
    const [one, two] = await rig.cluster(['node1', 'node2'])
    const silent: PeerEvent[] = []
    for (const [service, peer] of [[one, 'node2'] as const, [two, 'node1'] as const]) {
      peersOf(service).watch(peer, { timeoutMs: 400, lans: [] }, (event) => {
        if (event.kind === 'peerSilent' || event.kind === 'peerDisconnected') silent.push(event)
      })
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000)
    await until('the freeze is noticed', () => rig.logged('processFrozen').length === 2)
    await new Promise((resolve) => setTimeout(resolve, 1_000)) // Long enough for a wrong silence.
    t.deepEqual(silent, [])
  },
  test.serial,
) // It blocks the other tests of this file too.

withRig('a peer with a newer protocol is refused, and the log says so', async (t, rig) => {
  const { two, keyring } = await clusterWithout1(rig)
  const impostor = Impostor.dial(rig, keyring, ['node1', 'node2'])
  impostor.says({ ...helloOf(rig, two, 'node1'), protocol: { major: 2, minor: 0 } })
  await until('it is refused', () => impostor.isClosed)
  t.like(impostor.heard.at(-1), { kind: 'goodbye', code: 'E_PEER_PROTOCOL' })
  t.like(rig.logged('peerProtocolNewer')[0]?.fields, { node: 'node1', spoken: '2.0' })
  t.false(peersOf(two).state('node1').connected)
})

withRig(
  'a greeting in the name of another node or cluster, or of an older run, is refused',
  async (t, rig) => {
    const { two, keyring } = await clusterWithout1(rig)
    const hello = helloOf(rig, two, 'node1')
    const cases: readonly [Hello, string][] = [
      [{ ...hello, node: 'node2' }, 'E_PEER_IDENTITY'],
      [{ ...hello, cluster: '00' }, 'E_PEER_IDENTITY'],
      [{ ...hello, incarnation: { boot: 3, id: '3-0123456789abcdef' } }, 'E_PEER_GHOST'],
    ]
    for (const [greeting, code] of cases) {
      const impostor = Impostor.dial(rig, keyring, ['node1', 'node2'])
      impostor.says(greeting)
      await until('it is refused', () => impostor.isClosed)
      t.like(impostor.heard.at(-1), { kind: 'goodbye', code })
    }
  },
)

withRig('malformed frames end only the connection that brought them', async (t, rig) => {
  const { two, keyring } = await clusterWithout1(rig)
  for (let round = 0; round < 60; round++) {
    const impostor = Impostor.dial(rig, keyring, ['node1', 'node2'])
    if (round % 2 === 0) impostor.says(helloOf(rig, two, 'node1'))
    const noise = randomBytes(randomInt(8, 3_000))
    impostor.socket.write(round % 3 === 0 ? framed(noise) : Buffer.concat([Buffer.alloc(1), noise]))
    impostor.socket.end()
    await until('it is closed', () => impostor.isClosed)
  }
  rig.wallOffsetMs = 3_600_000 // Its counter must be beyond the one that the impostor claimed.
  await rig.start('node1')
  await until('the real node 1 is welcome', () => peersOf(two).state('node1').connected)
  t.true(peersOf(two).state('node1').connected)
})

withRig('a stream that says nothing is closed after five seconds', async (t, rig) => {
  const { two, keyring } = await clusterWithout1(rig)
  const impostor = Impostor.dial(rig, keyring, ['node1', 'node2'])
  impostor.says(helloOf(rig, two, 'node1'))
  await until('it is accepted', () => peersOf(two).state('node1').connected)
  const sinceMs = rig.clock().monotonicMs()
  await until('it is closed', () => impostor.isClosed)
  const tookMs = rig.clock().monotonicMs() - sinceMs
  t.true(tookMs > 4_500 && tookMs < 15_000, String(tookMs))
  t.true(impostor.heard.filter((frame) => frame?.kind === 'alive').length >= 3)
})

withRig('a removed node is refused with one log line, however often it tries', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2', 'node3'])
  const keyring = await readKeyring(join(await rig.root('node1'), 'etc/holdfast'))
  await rig.stop('node1')
  // Whoever is connected is asked before it is removed.
  await until('it is noticed', () => !peersOf(two).state('node1').connected)
  await two?.configure({ xml: rig.xml(['node2', 'node3']) })
  for (let round = 0; round < 5; round++) {
    const impostor = Impostor.dial(rig, keyring, ['node1', 'node2'])
    await until('it is refused', () => impostor.isClosed)
  }
  const lines = rig.logged('connectionRefused', 'node2')
  t.deepEqual(
    lines.map((line) => line.fields['cause']),
    ['node1 is not a node of this cluster'],
  )
  t.is(one?.current(), undefined)
})

withRig('noise on the ports of a node ends nothing and fills no log', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2'])
  const address = rig.address('node2')
  const lost = rig.logged('peerDisconnected').length
  const udp = createSocket('udp4')
  for (let round = 0; round < 3_000; round++) {
    const noise = randomBytes(randomInt(1, 1_400))
    const datagram = round % 2 === 0 ? noise : Buffer.concat([Buffer.from('HFHB\x01'), noise])
    await new Promise((resolve) => {
      udp.send(datagram, rig.port, address, resolve)
    })
  }
  udp.close()
  for (let round = 0; round < 20; round++) {
    const tcp = connectTcp({ host: address, port: rig.port })
    tcp.on('error', () => undefined)
    tcp.end(randomBytes(randomInt(1, 500)))
    await closed(tcp)
  }
  for (let round = 0; round < 20; round++) {
    const bare = connect({
      ...{ host: address, port: rig.port, servername: '', rejectUnauthorized: false },
      ALPNProtocols: [round % 2 === 0 ? joinProtocol : 'http/1.1'],
    })
    bare.on('error', () => undefined)
    bare.on('secureConnect', () => bare.end(framed(randomBytes(randomInt(1, 500)))))
    await closed(bare)
  }
  t.true(peersOf(one).state('node2').connected)
  t.true(peersOf(two).state('node1').connected)
  t.is(rig.logged('peerDisconnected').length, lost)
  t.true(rig.lines.length < 60, String(rig.lines.length))
})
