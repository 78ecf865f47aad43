/**
 * The first bytes of a connection, the same for ops and resynchronisation: who dials names the session, then both prove
 * with fresh nonces that they know its key. Pure: bytes in, bytes out. The nonces also make the keys of this connection
 * its own, so that a second connection of the same session never uses a key and a nonce again.
 *
 *   dialler: 'HFRFS' major kind 0, session (16), nonce (32)
 *   server:  'HFRFS' major kind 0, nonce (32), proof (32)
 *   dialler: proof (32)
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { ChannelKeys } from '../resync-port.js'

export const LINK_KIND = { OPS: 0, RESYNC: 1 } as const
export const SESSION_BYTES = 16
export const KEY_BYTES = 32
export const NONCE_BYTES = 32
const PROOF_BYTES = 32
const MAGIC = Buffer.from('HFRFS', 'latin1')
const MAJOR = 1
const HEAD_BYTES = 8

export const HELLO_BYTES = HEAD_BYTES + SESSION_BYTES + NONCE_BYTES
export const WELCOME_BYTES = HEAD_BYTES + NONCE_BYTES + PROOF_BYTES
export const CONFIRM_BYTES = PROOF_BYTES

export interface Hello {
  readonly kind: number
  readonly session: Buffer
  readonly nonce: Buffer
}

/** What both sides know when both hellos were said. */
export interface Secrets {
  readonly key: Uint8Array
  readonly session: Uint8Array
  readonly kind: number
  readonly diallerNonce: Uint8Array
  readonly serverNonce: Uint8Array
}

export function writeHello(hello: Hello): Buffer {
  return Buffer.concat([head(hello.kind), hello.session, hello.nonce])
}

/** A text: why it is none. */
export function readHello(bytes: Buffer): Hello | string {
  const wrong = headError(bytes)
  if (wrong !== undefined) return wrong
  return {
    kind: bytes.readUInt8(6),
    session: Buffer.from(bytes.subarray(HEAD_BYTES, HEAD_BYTES + SESSION_BYTES)),
    nonce: Buffer.from(bytes.subarray(HEAD_BYTES + SESSION_BYTES, HELLO_BYTES)),
  }
}

export function writeWelcome(secrets: Secrets): Buffer {
  return Buffer.concat([head(secrets.kind), secrets.serverNonce, proof(secrets, 'server')])
}

/** The server's nonce and its proof (to be checked with `proves`). A text: why it is none. */
export function readWelcome(bytes: Buffer): { nonce: Buffer; proof: Buffer } | string {
  const wrong = headError(bytes)
  if (wrong !== undefined) return wrong
  return {
    nonce: Buffer.from(bytes.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES)),
    proof: Buffer.from(bytes.subarray(HEAD_BYTES + NONCE_BYTES, WELCOME_BYTES)),
  }
}

export function writeConfirm(secrets: Secrets): Buffer {
  return proof(secrets, 'dialler')
}

export function proves(secrets: Secrets, who: 'server' | 'dialler', given: Uint8Array): boolean {
  return given.length === PROOF_BYTES && timingSafeEqual(given, proof(secrets, who))
}

/** The keys of one side for its two directions; none when frames travel in clear. */
export function keysOf(secrets: Secrets, side: 'server' | 'dialler', sealed: boolean): ChannelKeys {
  if (!sealed) return { send: undefined, receive: undefined }
  const toServer = derive(secrets, 'to server')
  const toDialler = derive(secrets, 'to dialler')
  return side === 'server'
    ? { send: toDialler, receive: toServer }
    : { send: toServer, receive: toDialler }
}

function derive(secrets: Secrets, direction: string): Uint8Array {
  const salt = Buffer.concat([secrets.diallerNonce, secrets.serverNonce])
  const purpose = `holdfast rfs ${MAJOR} ${secrets.kind} ${direction}`
  return new Uint8Array(hkdfSync('sha256', secrets.key, salt, purpose, KEY_BYTES))
}

function proof(secrets: Secrets, who: string): Buffer {
  return createHmac('sha256', secrets.key)
    .update(`holdfast rfs ${MAJOR} ${secrets.kind} ${who}\n`)
    .update(secrets.session)
    .update(secrets.diallerNonce)
    .update(secrets.serverNonce)
    .digest()
}

function head(kind: number): Buffer {
  return Buffer.concat([MAGIC, Buffer.from([MAJOR, kind, 0])])
}

function headError(bytes: Buffer): string | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'it does not speak this protocol'
  const major = bytes.readUInt8(5)
  if (major !== MAJOR) return `it speaks version ${major} of the protocol, this side ${MAJOR}`
  return bytes.readUInt8(6) <= LINK_KIND.RESYNC ? undefined : 'it wants an unknown kind of link'
}
