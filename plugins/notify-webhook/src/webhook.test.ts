/** Against a real HTTPS server, with a certificate that openssl makes for this run. */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type NoticeMessage, notifier, type Verdict } from '@holdfast/sdk'
import { startPlugin, testCertificate } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { plugin } from './index.js'
import { headersOf, keyOf } from './sign.js'

const message: NoticeMessage = {
  ...{ id: 'n1-8-0', cluster: 'c1', node: 'n1', dropped: 0 },
  notices: [
    {
      ...{ sequence: 8, atMs: 0, level: 'critical', module: 'web', plugin: 'rfs' },
      ...{ event: 'dataPlaneKilled', text: 'it hung – 5 s', hint: undefined },
    },
  ],
}
const bytes = Buffer.alloc(32, 7)
const secret = `whsec_${bytes.toString('base64')}`

test('the body arrives whole, and its signature is one that a receiver can check', async (t) => {
  const server = await Server.start(t, (_request, response) => response.writeHead(204).end())
  t.deepEqual(await server.deliver(), { ok: true })
  const [{ headers, body }] = server.got as [Got]
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  const expected = createHmac('sha256', bytes).update(signed).digest('base64')
  t.is(headers['webhook-signature'], `v1,${expected}`)
  t.is(headers['webhook-id'], 'n1-8-0')
  t.is(headers['webhook-timestamp'], String(Date.UTC(2026, 0, 1) / 1_000))
  t.like(JSON.parse(body), {
    type: 'holdfast.notices',
    data: { cluster: 'c1', node: 'n1', notices: [{ module: 'web', text: 'it hung – 5 s' }] },
  })
})

test('the signature is that of the example in the specification', (t) => {
  const key = keyOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  t.truthy(key)
  const request = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    seconds: 1_614_265_330,
    body: '{"test": 2432232314}',
  }
  const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  t.is(headersOf(key ?? Buffer.alloc(0), request)['webhook-signature'], signature)
})

test('an answer that is no success is a refusal, a redirection is not followed, and an endless answer is cut', async (t) => {
  const server = await Server.start(t, (request, response) => {
    if (request.url === '/moved') response.writeHead(307, { location: '/fine' }).end()
    else if (request.url === '/endless') {
      response.writeHead(500)
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 1)
      response.on('close', () => clearInterval(timer))
    } else response.writeHead(request.url === '/fine' ? 200 : 503).end('busy')
  })
  t.regex(reasonOf(await server.deliver({ path: '/' })), /^127\.0\.0\.1:\d+ answers 503: busy$/)
  t.regex(reasonOf(await server.deliver({ path: '/moved' })), /answers 307/)
  t.true(reasonOf(await server.deliver({ path: '/endless' })).length < 300)
  t.is(server.got.length, 3)
})

test('an unknown authority, a wrong key and a server that never answers are refusals', async (t) => {
  const server = await Server.start(t, () => undefined)
  t.regex(reasonOf(await server.deliver({ ca: false })), /self-signed certificate/)
  t.regex(reasonOf(await server.deliver({ secret: 'hunter22' })), /is no key: write whsec_/)
  t.is(server.got.length, 0)
  const over = new AbortController()
  const late = server.deliver({ signal: over.signal })
  await server.arrived
  over.abort()
  t.false((await late).ok)
})

test('without an address there is no notifier', async (t) => {
  const host = await startPlugin(plugin, { config: {} })
  t.is(host.contributions(notifier).size, 0)
  await host.stop()
})

function reasonOf(verdict: Verdict): string {
  return verdict.ok ? 'it was delivered' : verdict.reason
}

interface Got {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

class Server {
  readonly got: Got[] = []
  readonly arrived: Promise<void>
  #arrive: () => void = () => undefined

  private constructor(
    private readonly t: ExecutionContext,
    private readonly port: () => number,
    private readonly ca: string,
  ) {
    this.arrived = new Promise((resolve) => (this.#arrive = resolve))
  }

  static async start(
    t: ExecutionContext,
    answer: (request: IncomingMessage, response: ServerResponse) => unknown,
  ): Promise<Server> {
    const { keyFile, certificateFile } = await testCertificate(t)
    const server = new Server(t, () => (https.address() as AddressInfo).port, certificateFile)
    const options = { key: readFileSync(keyFile), cert: readFileSync(certificateFile) }
    const https = createServer(options, (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        server.got.push({ headers: request.headers, body: Buffer.concat(parts).toString() })
        server.#arrive()
        answer(request, response)
      })
    })
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      https.closeAllConnections()
      https.close()
    })
    return server
  }

  async deliver(
    one: { path?: string; secret?: string; ca?: boolean; signal?: AbortSignal } = {},
  ): Promise<Verdict> {
    const url = `https://127.0.0.1:${String(this.port())}${one.path ?? ''}`
    const ca = one.ca === false ? {} : { ca: this.ca }
    const host = await startPlugin(plugin, { config: { url, secretFile: '/unused', ...ca } })
    this.t.teardown(() => host.stop())
    const signal = one.signal ?? new AbortController().signal
    return await host
      .contribution(notifier, 'webhook')
      .deliver(message, one.secret ?? secret, signal)
  }
}
