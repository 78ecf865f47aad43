/** Takes connections, reads one claim from each, answers, closes. Whatever a stranger sends ends his connection only. */
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { answerLine, LineReader, parseRequest, tlsOptions } from '../protocol.js'
import type { WitnessState } from './state.js'

export const connectionsMax = 256
/** For the handshake, and once more for the request. */
export const patienceMs = 3_000

export type Say = (event: string, fields: Readonly<Record<string, unknown>>) => void

export function createListener(state: WitnessState, say: Say): Server {
  /** Which cluster a connection proved to belong to. */
  const claimants = new WeakMap<TLSSocket, string>()
  const server = createServer({
    ...tlsOptions,
    handshakeTimeout: patienceMs,
    // Null ends the handshake.
    pskCallback: (socket, identity) => {
      const secret = state.secretOf(identity)
      if (secret !== undefined) claimants.set(socket, identity)
      return secret ?? null
    },
  })
  server.maxConnections = connectionsMax
  server.on('secureConnection', (socket) => {
    const cluster = claimants.get(socket)
    if (cluster === undefined) socket.destroy()
    else serve(socket, cluster, { state, say })
  })
  // A port scan, a wrong secret, a cable that was cut: the other side sees why it got no answer.
  server.on('tlsClientError', (error, socket) => {
    say('handshakeFailed', { from: socket.remoteAddress, reason: messageOf(error).slice(0, 120) })
    socket.destroy()
  })
  return server
}

function serve(
  socket: TLSSocket,
  cluster: string,
  world: { readonly state: WitnessState; readonly say: Say },
): void {
  const { state, say } = world
  const reader = new LineReader()
  const from = socket.remoteAddress
  const timer = setTimeout(() => socket.destroy(), patienceMs)
  socket.on('close', () => clearTimeout(timer))
  // A connection that breaks after the grant is written: the node asks again and is granted again.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    const line = reader.push(chunk)
    if (line === undefined) return
    socket.removeAllListeners('data')
    const request = parseRequest(line)
    if (request === undefined) {
      say('malformedRequest', { cluster, from })
      socket.destroy()
      return
    }
    state.claim(cluster, request).then(
      (claim) => {
        say('claimed', { cluster, ...request, claim, from })
        socket.end(answerLine(claim))
      },
      (thrown: unknown) => {
        // Nothing was granted: no answer is the honest one. What is not ours to expect ends the process.
        if (!isExpected(thrown)) throw thrown
        say('claimFailed', { cluster, ...request, reason: messageOf(thrown) })
        socket.destroy()
      },
    )
  })
}

/** Our own refusals, and a disk that is full or broken: the witness stays there for its other clusters. */
function isExpected(thrown: unknown): boolean {
  if (thrown instanceof HoldfastError) return true
  return thrown instanceof Error && 'code' in thrown && 'syscall' in thrown
}
