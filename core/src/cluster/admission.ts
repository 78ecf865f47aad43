/**
 * The inviting side of a join. Order: the secret is checked, the newcomer sees the configuration and says that it can
 * live with it, its key is signed, the invitation is used up on disk, and only then do the keys leave this node.
 */
import type { TLSSocket } from 'node:tls'
import { type Clock, HoldfastError, type Log, type Verdict } from '@holdfast/sdk'
import type { LogGate } from '../network/index.js'
import { signRequest } from './certificates.js'
import { Conversation, type Words } from './conversation.js'
import type { Invitations, Offer } from './invitations.js'
import type { Keyring } from './keyring.js'
import type { Turn } from './turn.js'

/** A newer major is refused by either side. */
export const joinMajor = 1
const questionBytesMax = 16 * 1024
const answerTimeoutMs = 15_000

export interface AdmissionOptions {
  readonly clock: Clock
  readonly log: Log
  readonly gate: LogGate
  readonly turn: Turn
  readonly invitations: Invitations
  readonly keyring: Keyring
  readonly cluster: string
  /** The configuration in force, at each moment. */
  readonly present: () => {
    readonly xml: string
    readonly revision: number
    readonly nodes: readonly string[]
  }
}

/** Answers one newcomer and ends the connection. Never rejects because of what the other side does. */
export async function admit(socket: TLSSocket, options: AdmissionOptions): Promise<void> {
  const from = socket.remoteAddress ?? 'unknown'
  const conversation = new Conversation(socket, options.clock, questionBytesMax)
  try {
    const node = await converse(conversation, options)
    options.log.write('event', 'nodeAdmitted', { node, from })
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    const { code, message: reason, hint } = thrown
    options.gate.write('warning', 'joinRefused', `${from} ${code}`, { from, code, reason })
    conversation.say({ kind: 'refused', code, reason, hint })
  } finally {
    conversation.end()
  }
}

async function converse(conversation: Conversation, options: AdmissionOptions): Promise<string> {
  const { keyring, cluster, turn, invitations } = options
  const { authorityPem } = keyring
  conversation.say({ kind: 'authority', major: joinMajor, cluster, authorityPem })
  const offer = offerOf(await conversation.listen(answerTimeoutMs))
  insist(await turn.take(() => invitations.check(offer)))
  const { xml, revision } = presentFor(offer.node, options)
  conversation.say({ kind: 'layout', xml, revision })
  const requestPem = textOf(await conversation.listen(answerTimeoutMs), 'request', 'requestPem')
  const welcome = await turn.take(async () => {
    const present = presentFor(offer.node, options)
    const authority = {
      certificatePem: authorityPem,
      privateKeyPem: keyring.authorityKeyPem,
    }
    const certificatePem = await signRequest(requestPem, authority, { cluster, node: offer.node })
    insist(await invitations.redeem(offer))
    return { certificatePem, xml: present.xml, revision: present.revision }
  })
  conversation.say({
    kind: 'welcome',
    ...welcome,
    authorityKeyPem: keyring.authorityKeyPem,
    heartbeatKey: keyring.heartbeatKey.toString('hex'),
  })
  return offer.node
}

function presentFor(node: string, options: AdmissionOptions) {
  const present = options.present()
  if (present.nodes.includes(node)) return present
  throw new HoldfastError('E_JOIN_NODE', `${node} is no longer a node of this cluster`, {
    hint: 'add it to cluster.xml, apply it with "holdfast cluster config", and invite it again',
  })
}

function offerOf(words: Words): Offer {
  const major = words['major']
  if (typeof major === 'number' && major > joinMajor) {
    const what = `the joining node speaks join protocol ${String(major)}, this one ${String(joinMajor)}`
    throw new HoldfastError('E_JOIN_PROTOCOL', what, {
      hint: 'install the same version of Holdfast on both nodes',
    })
  }
  const offer = {
    id: textOf(words, 'offer', 'id'),
    node: textOf(words, 'offer', 'node'),
    secret: textOf(words, 'offer', 'secret'),
  }
  return offer
}

/** A text field of a sentence of this kind; anything else is not the protocol. */
export function textOf(words: Words, kind: string, field: string): string {
  const value = words[field]
  if (words['kind'] === kind && typeof value === 'string') return value
  throw new HoldfastError('E_JOIN_CONVERSATION', `"${kind}" with ${field} was expected`, {
    hint: 'both nodes must run the same version of Holdfast',
  })
}

function insist(verdict: Verdict): void {
  if (verdict.ok) return
  const { code, reason, hint } = verdict
  throw new HoldfastError(code, reason, hint === undefined ? {} : { hint })
}
