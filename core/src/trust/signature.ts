/**
 * Signatures of plugins, packages and registries: ed25519, one line of text, `holdfast-ed25519 <key id> <base64>`.
 * What is signed begins with what it is, so that the signature of one kind can't be shown as that of another.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { HoldfastError } from '@holdfast/sdk'

/** `plugin` and `module`: a list of files with their hashes. `index`: the index of a registry. */
export type Signed = 'plugin' | 'module' | 'index'

export interface Signature {
  /** Id of the key that is said to have made it; `verify` decides. */
  readonly key: string
  readonly bytes: Buffer
}

const form = /^holdfast-ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n?$/

/** Throws `E_TRUST_SIGNATURE` for anything that is not one line of our form. */
export function parseSignature(text: string): Signature {
  const [, key, base64] = form.exec(text) ?? []
  if (key !== undefined && base64 !== undefined)
    return { key, bytes: Buffer.from(base64, 'base64') }
  throw new HoldfastError('E_TRUST_SIGNATURE', 'the signature is malformed', {
    hint: 'a signature is one line: holdfast-ed25519, the id of the key, 64 bytes in base64',
  })
}

/** The text of a signature file, with a line end. `privatePem`: PKCS #8, as `newKeyPair` makes it. */
export function signatureOf(what: Signed, content: Uint8Array, privatePem: string): string {
  const privateKey = ed25519('private key', () => createPrivateKey(privatePem))
  const bytes = sign(null, framed(what, content), privateKey)
  const id = keyIdOf(createPublicKey(privateKey))
  return `holdfast-ed25519 ${id} ${bytes.toString('base64')}\n`
}

export function isSignedBy(
  publicKey: KeyObject,
  what: Signed,
  content: Uint8Array,
  signature: Signature,
): boolean {
  return (
    keyIdOf(publicKey) === signature.key &&
    verify(null, framed(what, content), publicKey, signature.bytes)
  )
}

/** Throws `E_TRUST_KEY` when it is no ed25519 public key in PEM. A private key is refused, too: it is a secret. */
export function parsePublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw new HoldfastError('E_TRUST_KEY', 'this is a private key: it must not leave its owner', {
      hint: 'give the public key, which begins with -----BEGIN PUBLIC KEY-----',
    })
  }
  return ed25519('public key', () => createPublicKey(pem))
}

/** The first 64 bits of the SHA-256 of the key, in hexadecimal. */
export function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(der).digest('hex').slice(0, 16)
}

export function newKeyPair(): {
  readonly id: string
  readonly publicPem: string
  readonly privatePem: string
} {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    id: keyIdOf(publicKey),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function framed(what: Signed, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`holdfast ${what} 1\n`), content])
}

function ed25519(what: string, make: () => KeyObject): KeyObject {
  let key: KeyObject | undefined
  try {
    key = make()
  } catch (thrown) {
    // The library's reasons are codes of a decoder: whatever they are, this is no key.
    if (!(thrown instanceof Error)) throw thrown
  }
  if (key?.asymmetricKeyType === 'ed25519') return key
  throw new HoldfastError('E_TRUST_KEY', `this is no ed25519 ${what} in PEM`, {
    hint: 'make one with "openssl genpkey -algorithm ed25519", or use the plugin tools',
  })
}
