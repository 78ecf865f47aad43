import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { checker, type ResourceValue } from '@holdfast/sdk'
import { startPlugin } from '@holdfast/sdk/testing'
import test from 'ava'
import { check, plugin } from './index.js'

function entry(port: number, more: object = {}) {
  const to = { addr: '127.0.0.1', port, interval: 10, timeout: 5, retries: 0, ...more }
  return { ident: 'web', when: 'prim' as const, to }
}

async function serving(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo // A server that listens on TCP has one.
  return address.port
}

/** The running checker; `next` is its next report. */
async function watching(port: number, more: object = {}) {
  const host = await startPlugin(plugin, { config: { check: { tcp: [entry(port, more)] } } })
  const said: { readonly value: ResourceValue; readonly cause: string }[] = []
  let tell: () => void = () => undefined
  const own = host.contribution(checker, 'tcp.web')
  const report = (value: ResourceValue, cause: string): void => {
    said.push({ value, cause })
    tell()
  }
  await own.start(report)
  const next = async () => {
    if (said.length === 0) await new Promise<void>((resolve) => (tell = resolve))
    return said.shift()
  }
  return { host, own, said, next }
}

test('a server that goes is down, and one that comes back is up', async (t) => {
  const first = createServer((socket) => socket.end())
  const port = await serving(first)
  const { host, own, next } = await watching(port)
  t.deepEqual(own.rule, { label: 't_web', action: 'restart' })
  t.is((await next())?.value, 'up')
  await new Promise((resolve) => first.close(resolve))
  await host.clock.pass(10_000)
  const gone = await next()
  t.is(gone?.value, 'down')
  t.regex(gone?.cause ?? '', /127\.0\.0\.1 port \d+: .*ECONNREFUSED/)
  const second = createServer((socket) => socket.end())
  second.listen(port, '127.0.0.1')
  await once(second, 'listening')
  await host.clock.pass(10_000)
  t.is((await next())?.value, 'up')
  await own.stop()
  await host.stop()
  second.close()
})

test('a server that floods whoever connects is up, and its connection is closed at once', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const flood = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    }
    socket.on('drain', flood).on('error', () => undefined)
    flood()
  })
  const { host, own, next } = await watching(await serving(server))
  t.is((await next())?.value, 'up')
  const [socket] = sockets
  await new Promise<void>((resolve) => {
    if (socket === undefined || socket.closed) resolve()
    else
      socket.once('close', () => {
        resolve()
      })
  })
  await own.stop()
  await host.stop()
  server.close()
  t.true((socket?.bytesWritten ?? 0) < 64 * 1024 * 1024)
})

test('a server that never answers is down after the time-out, and after stop nothing is left', async (t) => {
  // Addresses of documentation are routed nowhere; where the machine says so at once, that is down as well.
  const { host, own, next } = await watching(9, { addr: '192.0.2.1' })
  await host.clock.pass(5_000)
  t.is((await next())?.value, 'down')
  await own.stop()
  t.is(host.clock.pending, 0)
  await host.stop()
})

test('a name that is written twice and a wait that would never end are refused where they stand', (t) => {
  const { errors } = check({ check: { tcp: [entry(1), { ...entry(2), action: 'wait' }] } })
  t.deepEqual(
    errors.map(({ path }) => path),
    ['/check/tcp/1/ident', '/check/tcp/1/action'],
  )
})
