/** Answers GET /metrics on one address, and nothing else to anybody. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { HoldfastError, messageOf } from '@holdfast/sdk'

const connectionsMax = 16
const requestTimeoutMs = 10_000

export interface Place {
  readonly address: string
  readonly port: number
}

export interface Listening {
  /** 0 was asked: the one that was free. */
  readonly port: number
  stop(): Promise<void>
}

/** Rejects with HoldfastError when the address is not ours or taken. */
export async function listen(place: Place, text: () => Promise<string>): Promise<Listening> {
  const server = createServer(
    {
      ...{ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      ...{ keepAliveTimeout: requestTimeoutMs, connectionsCheckingInterval: requestTimeoutMs },
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      void answer(request, response, text)
    },
  )
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(refusalOf(place, error))
    })
    server.listen(place.port, place.address, resolve)
  })
  // A server that listens has no more to say than that one connection could not be accepted.
  server.removeAllListeners('error').on('error', () => undefined)
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : place.port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

/** Never rejects. */
async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  text: () => Promise<string>,
): Promise<void> {
  const plain = { 'content-type': 'text/plain; charset=utf-8' }
  if (url?.split('?')[0] !== '/metrics') {
    response.writeHead(404, plain).end('there is only /metrics\n')
    return
  }
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { ...plain, allow: 'GET, HEAD' }).end('only GET and HEAD\n')
    return
  }
  const type = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }
  try {
    const body = await text()
    response.writeHead(200, type).end(body)
  } catch (thrown) {
    // One figure that can't be made must not end the daemon; Prometheus shows the sentence beside the target.
    response.writeHead(500, plain).end(`${messageOf(thrown)}\n`)
  }
}

function refusalOf({ address, port }: Place, error: Error): HoldfastError {
  const where = `${address} port ${String(port)}`
  return new HoldfastError('E_METRICS_LISTEN', `can't listen on ${where}: ${error.message}`, {
    hint: 'set another address or port in /etc/holdfast/plugins/metrics.json and restart holdfastd',
    cause: error,
  })
}
