/**
 * How two nodes prove to each other who they are: TLS 1.3, both certificates signed by the cluster's own authority,
 * the node named in the certificate's URI. Host names and other authorities mean nothing here.
 */
import { constants } from 'node:crypto'
import { connect, createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls'
import type { Credentials } from './settings.js'

/** Spoken by members. */
export const memberProtocol = 'holdfast/1'
/** Spoken by a node that has an invitation and no certificate yet. */
export const joinProtocol = 'holdfast-join/1'
export const handshakeTimeoutMs = 5_000

/** The URI in a node's certificate. */
export function nodeUri(cluster: string, node: string): string {
  return `holdfast:${cluster}:${node}`
}

/**
 * Clients without certificate are let in because of those that join: whoever accepts the connection must ask
 * `memberOf`. No ticket is issued, so each connection proves its certificate anew.
 */
export function createMemberServer(credentials: Credentials): Server {
  const options: TlsOptions = {
    ...secretsOf(credentials),
    ALPNProtocols: [memberProtocol, joinProtocol],
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
    secureOptions: constants.SSL_OP_NO_TICKET,
    noDelay: true,
  }
  return createServer(options)
}

export interface DialTarget {
  readonly cluster: string
  readonly node: string
  readonly address: string
  readonly port: number
  /** The LAN is left by our own address on it, so that the stream fails when that LAN fails. */
  readonly localAddress: string
}

/** Fails before a byte is sent when the other side is not `target.node` of our cluster. */
export function dialMember(target: DialTarget, credentials: Credentials): TLSSocket {
  const expected = `URI:${nodeUri(target.cluster, target.node)}`
  const tcp = { host: target.address, port: target.port, localAddress: target.localAddress }
  return connect({
    ...tcp,
    ...secretsOf(credentials),
    ALPNProtocols: [memberProtocol],
    rejectUnauthorized: true,
    servername: '',
    checkServerIdentity: (_host, certificate) =>
      certificate.subjectaltname === expected
        ? undefined
        : new Error(`the certificate is not that of ${target.node} in this cluster`),
  })
}

/** The node of `cluster` that the accepted connection belongs to; undefined: it proved nothing. */
export function memberOf(socket: TLSSocket, cluster: string): string | undefined {
  if (!socket.authorized) return undefined
  const prefix = `URI:${nodeUri(cluster, '')}`
  const name = socket.getPeerX509Certificate()?.subjectAltName
  if (name?.startsWith(prefix) !== true) return undefined
  const node = name.slice(prefix.length)
  return /^[a-z0-9-]+$/.test(node) ? node : undefined
}

function secretsOf(credentials: Credentials) {
  return {
    ca: credentials.authorityPem,
    cert: credentials.certificatePem,
    key: credentials.privateKeyPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  } as const
}
