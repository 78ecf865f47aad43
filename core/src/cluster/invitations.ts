/**
 * The open invitations of this node. Only hashes of the secrets are on disk; each can be used once. Calls must not
 * overlap: the cluster service lets them in one at a time.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { done, HoldfastError, refused, type Verdict } from '@holdfast/sdk'
import { onDisk } from './disk.js'
import { readVersioned, type StateFormat, writeVersioned } from '../files/versioned.js'

interface Invitation {
  readonly id: string
  readonly node: string
  /** SHA-256 of the secret, hex. A hash suffices: the secret has 256 random bits. */
  readonly secretHash: string
  readonly expiresMs: number
  readonly used: boolean
}

/** What the invited node shows. */
export interface Offer {
  readonly id: string
  readonly node: string
  readonly secret: string
}

const format: StateFormat = { format: 'cluster-invitations', version: 1 }
const invitationsMax = 64
/** Used and expired ones are remembered a while, so that the refusal can say which of the two it was. */
const rememberedMs = 24 * 3_600_000
const askAgain = 'ask for a new one with "holdfast cluster invite" on a member of the cluster'

export class Invitations {
  constructor(
    private readonly path: string,
    private readonly wallMs: () => number,
  ) {}

  /** Returns when the invitation survives a restart. An older one of the same node ends. */
  async add(
    node: string,
    ttlMs: number,
  ): Promise<{ readonly id: string; readonly secret: string; readonly expiresMs: number }> {
    const id = randomBytes(8).toString('hex')
    const secret = randomBytes(32)
    const expiresMs = this.wallMs() + ttlMs
    const others = (await this.read()).filter((one) => one.node !== node || one.used)
    const secretHash = hashOf(secret).toString('hex')
    const all = [...others, { id, node, secretHash, expiresMs, used: false }]
    await this.write(all.slice(-invitationsMax))
    return { id, secret: secret.toString('hex'), expiresMs }
  }

  /** Would `redeem` work now? Changes nothing. */
  async check(offer: Offer): Promise<Verdict> {
    const all = await this.read()
    return this.judge(
      all.find((one) => one.id === offer.id),
      offer,
    )
  }

  /** Uses the invitation up, durably, when everything about it is right. */
  async redeem(offer: Offer): Promise<Verdict> {
    const all = await this.read()
    const invitation = all.find((one) => one.id === offer.id)
    const verdict = this.judge(invitation, offer)
    if (!verdict.ok) return verdict
    await this.write(all.map((one) => (one === invitation ? { ...one, used: true } : one)))
    return done
  }

  private judge(invitation: Invitation | undefined, offer: Offer): Verdict {
    const offered = hashOf(Buffer.from(offer.secret, 'hex'))
    const isKnown =
      invitation?.node === offer.node &&
      timingSafeEqual(offered, Buffer.from(invitation.secretHash, 'hex'))
    if (!isKnown) return refused('E_JOIN_UNKNOWN', 'this node knows no such invitation', askAgain)
    if (invitation.used) {
      return refused('E_JOIN_USED', 'the invitation has been used already', askAgain)
    }
    if (invitation.expiresMs <= this.wallMs()) {
      const at = new Date(invitation.expiresMs).toISOString()
      return refused('E_JOIN_EXPIRED', `the invitation expired at ${at}`, askAgain)
    }
    return done
  }

  private async read(): Promise<readonly Invitation[]> {
    const body = (await readVersioned(this.path, format)) ?? []
    if (!Array.isArray(body) || !body.every(isInvitation)) {
      throw new HoldfastError('E_STATE_DAMAGED', `${this.path} is not a list of invitations`, {
        hint: 'remove the file: open invitations end, nothing else is lost',
      })
    }
    return body
  }

  private async write(invitations: readonly Invitation[]): Promise<void> {
    const sinceMs = this.wallMs() - rememberedMs
    const kept = invitations.filter((one) => one.expiresMs > sinceMs)
    await onDisk('the invitations', async () => {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
      await writeVersioned(this.path, format, kept)
    })
  }
}

function hashOf(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest()
}

function isInvitation(value: unknown): value is Invitation {
  if (typeof value !== 'object' || value === null) return false
  if (!('id' in value) || typeof value.id !== 'string') return false
  if (!('node' in value) || typeof value.node !== 'string') return false
  if (!('secretHash' in value) || typeof value.secretHash !== 'string') return false
  if (!/^[0-9a-f]{64}$/.test(value.secretHash)) return false
  if (!('expiresMs' in value) || typeof value.expiresMs !== 'number') return false
  return 'used' in value && typeof value.used === 'boolean'
}
