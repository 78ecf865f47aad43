import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { checker } from '@holdfast/sdk'
import { startPlugin, testCertificate } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { check, plugin } from './index.js'

const entry = (to: object) => {
  const usual = { method: 'GET' as const, status: '200-299', verify: true }
  const times = { interval: 10, timeout: 5, retries: 0 }
  return { ident: 'a', when: 'prim' as const, to: { url: 'http://x/', ...usual, ...times, ...to } }
}

async function listening(t: ExecutionContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port // A server that listens on TCP has one.
}

/** What the checker says at its first look. */
async function said(to: object, passMs = 0): Promise<string> {
  const host = await startPlugin(plugin, { config: { check: { http: [entry(to)] } } })
  const one = host.contribution(checker, 'http.a')
  const answer = new Promise<string>((resolve) => {
    void one.start((value, cause) => {
      resolve(`${value}: ${cause}`)
    })
  })
  await host.clock.pass(passMs)
  const text = await answer
  await one.stop()
  await host.stop()
  return text
}

test('status and body decide, a redirect is no success, and a closed port is down', async (t) => {
  const handler: RequestListener = (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/' })
    if (request.url === '/broken') response.writeHead(500)
    response.end(`all is well for ${request.headers.host ?? ''}`)
  }
  const port = await listening(t, createServer(handler))
  const url = `http://127.0.0.1:${String(port)}`
  t.is(await said({ url }), 'up: status 200')
  t.is(
    await said({ url, body: 'well$|for shop\\.example', host: 'shop.example' }),
    'up: status 200',
  )
  t.is(await said({ url, body: 'ill' }), 'down: status 200, but the body does not match ill')
  t.is(await said({ url: `${url}/moved` }), 'down: status 302, not 200-299')
  t.is(await said({ url: `${url}/moved`, status: '200, 300-399' }), 'up: status 302')
  t.is(await said({ url: `${url}/broken` }), 'down: status 500, not 200-299')
  t.regex(await said({ url: 'http://127.0.0.1:1/' }), /^down: .*ECONNREFUSED/)
})

test('a server that hangs is down after its time, and of one that floods only the beginning is read', async (t) => {
  const hanging = await listening(
    t,
    createServer(() => undefined),
  )
  t.is(
    await said({ url: `http://127.0.0.1:${String(hanging)}` }, 5_000),
    'down: no answer within 5000 ms',
  )
  let written = 0
  const flooding = createServer((_request, response) => {
    const flood = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x'))) written += 65_536
    }
    response.on('drain', flood).on('error', () => undefined)
    flood()
  })
  const port = await listening(t, flooding)
  t.regex(await said({ url: `http://127.0.0.1:${String(port)}`, body: 'y' }), /does not match/)
  t.true(written < 64 * 1024 * 1024)
})

test('a certificate of a stranger is refused unless its authority is known or nobody looks', async (t) => {
  const { keyFile, certificateFile } = await testCertificate(t, 'DNS:shop.example')
  const options = { key: readFileSync(keyFile), cert: readFileSync(certificateFile) }
  const port = await listening(
    t,
    createSecure(options, (_, response) => response.end('ok')),
  )
  const url = `https://127.0.0.1:${String(port)}`
  t.regex(await said({ url }), /^down: .*self-signed/)
  t.is(await said({ url, ca: certificateFile, host: 'shop.example' }), 'up: status 200')
  t.regex(await said({ url, ca: certificateFile, host: 'other.example' }), /^down: .*altnames/)
  t.is(await said({ url, verify: false }), 'up: status 200')
})

test('what can not be is refused at its attribute', (t) => {
  const paths = (to: object) =>
    check({ check: { http: [entry(to)] } }).errors.map(({ path }) => path.split('/').at(-1))
  t.deepEqual(paths({}), [])
  t.deepEqual(paths({ url: 'http://a:b@x/' }), ['url'])
  t.deepEqual(paths({ status: '299-200' }), ['status'])
  t.deepEqual(paths({ body: '(' }), ['body'])
  t.deepEqual(paths({ body: 'x', method: 'HEAD' }), ['body'])
})
