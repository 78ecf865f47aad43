/**
 * The heartbeat datagram: magic, version, HMAC-SHA256, JSON. Nothing of it is parsed before the HMAC is right, so
 * that whoever has no key can neither keep a dead node alive nor reach the parser.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Incarnation, parseIncarnation } from './incarnation.js'
import { objectOf } from './wire.js'

export interface Heartbeat {
  readonly cluster: string
  readonly lan: string
  readonly from: string
  readonly to: string
  readonly incarnation: Incarnation
  /** Grows with each datagram of an incarnation. */
  readonly sequence: number
  /** Does the sender hear the receiver on this LAN? An older version says nothing of it, which means yes. */
  readonly hears: boolean
  /** Of the sender's monotonic clock, for measurements; no decision may rest on it. */
  readonly sentMs: number
}

/** Why a datagram is refused. `foreign` is the only one that a correct neighbour can cause. */
export type HeartbeatFault = 'foreign' | 'newer' | 'unauthentic' | 'malformed'

export const datagramBytesMax = 1024
const magic = Buffer.from('HFHB')
const version = 1
const macOffset = magic.length + 1
const bodyOffset = macOffset + 32

export function encodeHeartbeat(beat: Heartbeat, key: Buffer): Buffer {
  const body = Buffer.from(JSON.stringify({ ...beat, incarnation: beat.incarnation.id }))
  const head = Buffer.concat([magic, Buffer.from([version])])
  return Buffer.concat([head, macOf(key, head, body), body])
}

export function decodeHeartbeat(datagram: Buffer, key: Buffer): Heartbeat | HeartbeatFault {
  if (datagram.length <= bodyOffset || datagram.length > datagramBytesMax) return 'malformed'
  if (!datagram.subarray(0, magic.length).equals(magic)) return 'foreign'
  const spoken = datagram[magic.length] ?? 0
  if (spoken !== version) return spoken > version ? 'newer' : 'malformed'
  const body = datagram.subarray(bodyOffset)
  const mac = macOf(key, datagram.subarray(0, macOffset), body)
  if (!timingSafeEqual(mac, datagram.subarray(macOffset, bodyOffset))) return 'unauthentic'
  return bodyOf(body) ?? 'malformed'
}

function macOf(key: Buffer, head: Buffer, body: Buffer): Buffer {
  return createHmac('sha256', key).update(head).update(body).digest()
}

function bodyOf(body: Buffer): Heartbeat | undefined {
  const { cluster, lan, from, to, sequence, sentMs, hears = true, ...rest } = objectOf(body) ?? {}
  const incarnation = parseIncarnation(rest['incarnation'])
  if (incarnation === undefined || typeof cluster !== 'string' || typeof lan !== 'string') {
    return undefined
  }
  if (typeof from !== 'string' || typeof to !== 'string') return undefined
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) {
    return undefined
  }
  if (typeof sentMs !== 'number' || typeof hears !== 'boolean') return undefined
  return { cluster, lan, from, to, incarnation, sequence, hears, sentMs }
}
