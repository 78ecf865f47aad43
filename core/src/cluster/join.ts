/**
 * The joining side. Nothing is written here: the outcome is a complete membership, or one error. The secret is sent
 * only to a node that has proved to belong to the cluster whose authority the token names.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { connect, type TLSSocket } from 'node:tls'
import { type Clock, HoldfastError, messageOf } from '@holdfast/sdk'
import { joinProtocol, nodeUri } from '../network/index.js'
import { joinMajor, textOf } from './admission.js'
import { createRequest, fingerprintOf, isSignedFor } from './certificates.js'
import { type ClusterLayout, readLayout } from './config.js'
import { Conversation, type Words } from './conversation.js'
import type { Keyring } from './keyring.js'
import type { InvitationToken } from './token.js'

const answerBytesMax = 2 * 1024 * 1024
const connectTimeoutMs = 5_000
const answerTimeoutMs = 15_000

export interface Joined {
  readonly keyring: Keyring
  readonly xml: string
  readonly revision: number
}

export interface JoinOptions {
  readonly clock: Clock
  /** Can this node live with the configuration (its addresses and ports)? Throws when not, before anything is used up. */
  readonly accept: (layout: ClusterLayout) => Promise<void>
}

/** Tries the addresses of the token in order; a refusal ends the attempt at once. */
export async function joinCluster(token: InvitationToken, options: JoinOptions): Promise<Joined> {
  const causes: string[] = []
  for (const { host, port } of token.addresses) {
    const where = `${host} port ${String(port)}`
    const socket = await dial(host, port, options.clock)
    if (typeof socket === 'string') {
      causes.push(`${where}: ${socket}`)
      continue
    }
    const conversation = new Conversation(socket, options.clock, answerBytesMax)
    try {
      return await converse(conversation, socket, token, options)
    } finally {
      conversation.end()
    }
  }
  throw new HoldfastError(
    'E_JOIN_UNREACHABLE',
    `the inviting node was not reached (${causes.join('; ')})`,
    { hint: 'check that holdfastd runs there and that no firewall blocks this TCP port' },
  )
}

/** The socket, or why there is none. */
async function dial(host: string, port: number, clock: Clock): Promise<TLSSocket | string> {
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host, port, servername: '', ALPNProtocols: [joinProtocol] },
      minVersion: 'TLSv1.3',
      // The authority arrives inside and is compared with the token's fingerprint: see `trusted`.
      rejectUnauthorized: false,
    })
    const fail = (cause: string): void => {
      cancel()
      socket.destroy()
      resolve(cause)
    }
    const cancel = clock.after(connectTimeoutMs, () => {
      fail('no answer in time')
    })
    socket.on('error', (error) => {
      fail(messageOf(error))
    })
    socket.once('secureConnect', () => {
      cancel()
      resolve(socket)
    })
  })
}

async function converse(
  conversation: Conversation,
  socket: TLSSocket,
  token: InvitationToken,
  options: JoinOptions,
): Promise<Joined> {
  const listen = async (): Promise<Words> => accepted(await conversation.listen(answerTimeoutMs))
  const authorityPem = trusted(await listen(), socket, token)
  const { id, node, secret } = token
  conversation.say({ kind: 'offer', major: joinMajor, id, node, secret })
  await options.accept(layoutFor(node, textOf(await listen(), 'layout', 'xml')))
  const { requestPem, privateKeyPem } = await createRequest(node)
  conversation.say({ kind: 'request', requestPem })
  const welcome = await listen()
  const keyring = keyringOf(welcome, { authorityPem, privateKeyPem }, token)
  const xml = textOf(welcome, 'welcome', 'xml')
  layoutFor(node, xml)
  const { revision } = welcome
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision)) throw impossible('revision')
  return { keyring, xml, revision }
}

/** The authority's certificate, when it is the token's and the other side's certificate is signed by it. */
function trusted(words: Words, socket: TLSSocket, token: InvitationToken): string {
  const major = words['major']
  if (typeof major === 'number' && major > joinMajor) {
    const what = `the inviting node speaks join protocol ${String(major)}, this one ${String(joinMajor)}`
    throw new HoldfastError('E_JOIN_PROTOCOL', what, {
      hint: 'install the same version of Holdfast on both nodes',
    })
  }
  const authorityPem = textOf(words, 'authority', 'authorityPem')
  const authority = certificateOf(authorityPem)
  const certificate = socket.getPeerX509Certificate()
  const isTrusted =
    authority !== undefined &&
    certificate?.subjectAltName?.startsWith(`URI:${nodeUri(token.cluster, '')}`) === true &&
    fingerprintOf(authorityPem) === token.authority &&
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey)
  if (isTrusted) return authorityPem
  throw new HoldfastError(
    'E_JOIN_OTHER_CLUSTER',
    'the node that answers at the address of the invitation is not of the cluster that invited',
    { hint: 'ask for a new invitation, and check that the address belongs to the inviting node' },
  )
}

function keyringOf(
  welcome: Words,
  own: { readonly authorityPem: string; readonly privateKeyPem: string },
  token: InvitationToken,
): Keyring {
  const { cluster, node } = token
  const { authorityPem, privateKeyPem } = own
  const certificatePem = textOf(welcome, 'welcome', 'certificatePem')
  const authorityKeyPem = textOf(welcome, 'welcome', 'authorityKeyPem')
  const heartbeatKey = Buffer.from(textOf(welcome, 'welcome', 'heartbeatKey'), 'hex')
  if (certificateOf(certificatePem) === undefined) throw impossible('certificate')
  if (!isSignedFor(certificatePem, authorityPem, { cluster, node, privateKeyPem })) {
    throw impossible('certificate')
  }
  const authority = new X509Certificate(authorityPem)
  if (!authority.checkPrivateKey(createPrivateKey(authorityKeyPem))) throw impossible('key')
  if (heartbeatKey.length !== 32) throw impossible('heartbeat key')
  return { authorityPem, privateKeyPem, certificatePem, authorityKeyPem, heartbeatKey }
}

function layoutFor(node: string, xml: string): ClusterLayout {
  const layout = readLayout(xml, 'cluster.xml')
  if (!layout.nodes.includes(node)) throw impossible('configuration')
  return layout
}

function accepted(words: Words): Words {
  if (words['kind'] !== 'refused') return words
  const { hint } = words
  const code = textOf(words, 'refused', 'code')
  const reason = textOf(words, 'refused', 'reason')
  throw new HoldfastError(code, reason, typeof hint === 'string' ? { hint } : {})
}

/** Node tells a malformed certificate by exceptions of OpenSSL without a class of their own. */
function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function impossible(what: string): HoldfastError {
  return new HoldfastError(
    'E_JOIN_WELCOME',
    `the inviting node sent a ${what} that cannot be right`,
    {
      hint: 'both nodes must run the same version of Holdfast; then ask for a new invitation',
    },
  )
}
