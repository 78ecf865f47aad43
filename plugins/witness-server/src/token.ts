/** What a cluster and its witness share: made once by `holdfast-witness add`, kept in a file on each node. */
import { randomBytes } from 'node:crypto'
import { HoldfastError } from '@holdfast/sdk'

export interface Enrolment {
  readonly cluster: string
  /** 32 random bytes: nothing that could be guessed from what is seen on the network. */
  readonly secret: Buffer
}

const secretBytes = 32
const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/

/** The name of a cluster, a module or a node. */
export function isName(text: string): boolean {
  return namePattern.test(text)
}

export function newEnrolment(cluster: string): Enrolment {
  return { cluster, secret: randomBytes(secretBytes) }
}

export function formatToken({ cluster, secret }: Enrolment): string {
  return `HFW1.${cluster}.${secret.toString('base64url')}`
}

/** Throws `E_WITNESS_TOKEN`, without the token in the message. */
export function parseToken(text: string): Enrolment {
  const [version, cluster = '', encoded = '', ...rest] = text.trim().split('.')
  const secret = Buffer.from(encoded, 'base64url')
  // Decoding skips what it does not know: only what encodes to the same text again is the token that was printed.
  const isWhole = secret.length === secretBytes && secret.toString('base64url') === encoded
  if (version !== 'HFW1' || !isName(cluster) || !isWhole || rest.length > 0) {
    throw new HoldfastError('E_WITNESS_TOKEN', 'this is not a whole token of a witness', {
      hint: 'copy the line HFW1.… that "holdfast-witness add" printed, nothing else',
    })
  }
  return { cluster, secret }
}
