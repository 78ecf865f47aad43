/**
 * Makes and signs the certificates of a cluster. The only file that knows the X.509 library, which is loaded at the
 * first use: a daemon that is a member already never needs it.
 */
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { HoldfastError } from '@holdfast/sdk'
import { nodeUri } from '../network/index.js'

export interface KeyPair {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** EC P-256 rather than Ed25519: every TLS stack and every tool of an operator accepts it. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/**
 * Certificates do not expire and do not begin late: a cluster must not stop because of its age or of a clock that was
 * reset. A node is excluded by its absence from cluster.xml (docs/decisions/0002-cluster-keys.md).
 */
const validity = {
  notBefore: new Date('2020-01-01T00:00:00Z'),
  notAfter: new Date('9999-12-31T23:59:59Z'),
}

export async function createAuthority(cluster: string): Promise<KeyPair> {
  const x509 = await library()
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: newSerial(),
    name: `CN=Holdfast cluster ${cluster}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await exported(keys) }
}

/** A key pair of a node that has no certificate yet, and the request for one. */
export async function createRequest(
  node: string,
): Promise<{ readonly requestPem: string; readonly privateKeyPem: string }> {
  const x509 = await library()
  const keys = await newKeys()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${node}`,
    keys,
    signingAlgorithm: algorithm,
  })
  return { requestPem: request.toString('pem'), privateKeyPem: await exported(keys) }
}

/** Signs the key of a request. Name and rights come from the arguments, nothing of the request but its key. */
export async function signRequest(
  requestPem: string,
  authority: KeyPair,
  subject: { readonly cluster: string; readonly node: string },
): Promise<string> {
  const x509 = await library()
  const publicKey = await provenKey(requestPem)
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity,
    serialNumber: newSerial(),
    subject: `CN=${subject.node}`,
    issuer: new x509.X509Certificate(authority.certificatePem).subject,
    publicKey,
    signingKey: await imported(authority.privateKeyPem),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: nodeUri(subject.cluster, subject.node) },
      ]),
    ],
  })
  return certificate.toString('pem')
}

/** SHA-256 of the certificate, 64 hex digits. */
export function fingerprintOf(certificatePem: string): string {
  return new X509Certificate(certificatePem).fingerprint256.replaceAll(':', '').toLowerCase()
}

/** Was `certificatePem` signed by `authorityPem`, for exactly this node and (when given) this private key? */
export function isSignedFor(
  certificatePem: string,
  authorityPem: string,
  expected: { readonly cluster: string; readonly node: string; readonly privateKeyPem?: string },
): boolean {
  const authority = new X509Certificate(authorityPem)
  const certificate = new X509Certificate(certificatePem)
  const uri = `URI:${nodeUri(expected.cluster, expected.node)}`
  const isIssued = certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  if (!isIssued || certificate.subjectAltName !== uri) return false
  if (expected.privateKeyPem === undefined) return true
  return certificate.checkPrivateKey(createPrivateKey(expected.privateKeyPem))
}

async function library() {
  // The library builds on tsyringe, which refuses to load before the container's file has brought its polyfill.
  await import('../kernel/container.js')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto)
  return x509
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function exported(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`
}

async function imported(privateKeyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(privateKeyPem).export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}

/** The public key of a request, whose owner has proved to hold the private one. */
async function provenKey(requestPem: string) {
  const x509 = await library()
  const request = readRequest(() => new x509.Pkcs10CertificateRequest(requestPem))
  const isProven = request !== undefined && (await request.verify())
  if (!isProven) {
    throw new HoldfastError('E_JOIN_REQUEST', 'the certificate request is not valid', {
      hint: 'both nodes must run the same version of Holdfast',
    })
  }
  return request.publicKey
}

/** The library tells malformed input by exceptions of many classes: whatever it throws here is the input's fault. */
function readRequest<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Positive, as the standard wants it: the first bit is 0. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}
