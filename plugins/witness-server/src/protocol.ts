/**
 * What a node and a witness say to each other: one line there, one line back, over TLS with a key that both have
 * (docs/decisions/0005). No certificate is involved: who does not have the cluster's secret ends no handshake.
 */
import { constants } from 'node:crypto'
import type { Claim } from '@holdfast/sdk'
import { isName } from './token.js'

export interface ClaimRequest {
  readonly module: string
  readonly node: string
  readonly generation: number
}

/** A fresh key exchange in each connection, authenticated by the secret: it can't be read later with the secret either. */
export const tlsOptions = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const

/** Of a line, its end included. */
export const lineBytesMax = 1_024

export function requestLine(request: ClaimRequest): string {
  return `${JSON.stringify({ version: 1, ...request })}\n`
}

export function answerLine(claim: Claim): string {
  return `${JSON.stringify({ version: 1, claim })}\n`
}

/** Undefined: malformed, or of a version that is not known. */
export function parseRequest(line: string): ClaimRequest | undefined {
  const { version, module, node, generation } = objectOf(line)
  if (version !== 1 || typeof module !== 'string' || typeof node !== 'string') return undefined
  if (!isName(module) || !isName(node)) return undefined
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) return undefined
  return generation < 1 ? undefined : { module, node, generation }
}

/** Anything but a clear yes or no is unknown. */
export function parseAnswer(line: string): Claim {
  const { version, claim } = objectOf(line)
  return version === 1 && (claim === 'granted' || claim === 'refused') ? claim : 'unknown'
}

function objectOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return {}
    throw thrown
  }
}

/** Collects bytes to the first end of line. */
export class LineReader {
  #text = ''

  /** The line without its end; undefined: not yet. What is too long to be ours counts as an empty line. */
  push(chunk: Buffer): string | undefined {
    this.#text += chunk.toString('latin1')
    if (this.#text.length > lineBytesMax) return ''
    const end = this.#text.indexOf('\n')
    return end < 0 ? undefined : this.#text.slice(0, end)
  }
}
