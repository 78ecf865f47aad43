/**
 * What travels on the stream between two nodes: u32 length, then one frame. The codec is a seam: this one is JSON.
 * Nothing that arrives is trusted; what is malformed comes out as undefined, never as an exception.
 */
import type { Incarnation } from './incarnation.js'
import { parseIncarnation } from './incarnation.js'

/** A newer major is refused. A newer minor may add frames and fields, which are ignored here. */
export const protocol = { major: 1, minor: 0 } as const

export const frameBytesMax = 2 * 1024 * 1024
/** Leaves room for the envelope of a frame. */
export const messageBytesMax = 1024 * 1024
const nameLengthMax = 200

export interface Hello {
  readonly kind: 'hello'
  readonly protocol: { readonly major: number; readonly minor: number }
  readonly cluster: string
  readonly node: string
  readonly incarnation: Incarnation
  /** Of the applied cluster configuration. */
  readonly revision: number
  /** Of Holdfast. */
  readonly version: string
}

export type Frame =
  | Hello
  | { readonly kind: 'alive' }
  | { readonly kind: 'goodbye'; readonly code: string; readonly reason: string }
  | { readonly kind: 'message'; readonly owner: string; readonly body: unknown }
  | { readonly kind: 'call'; readonly owner: string; readonly id: number; readonly body: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly body: unknown }
  | {
      readonly kind: 'refusal'
      readonly id: number
      readonly code: string
      readonly reason: string
      readonly hint: string | undefined
    }
  /** Of a newer minor version: ignored. */
  | { readonly kind: 'unknown' }

export interface Codec {
  encode(frame: Frame): Buffer
  /** Undefined: malformed. */
  decode(payload: Buffer): Frame | undefined
}

export const jsonCodec: Codec = {
  encode: (frame) =>
    Buffer.from(
      JSON.stringify(
        frame.kind === 'hello' ? { ...frame, incarnation: frame.incarnation.id } : frame,
      ),
    ),
  decode: (payload) => {
    const fields = objectOf(payload)
    return fields === undefined ? undefined : frameOf(fields)
  },
}

/** Prefixes the payload with its length. */
export function framed(payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(4)
  header.writeUInt32BE(payload.length)
  return Buffer.concat([header, payload], payload.length + 4)
}

/** Cuts a byte stream into payloads; holds at most one incomplete frame. */
export class FrameCutter {
  private chunks: Buffer[] = []
  private bytes = 0

  constructor(private readonly bytesMax = frameBytesMax) {}

  /** The complete payloads, or undefined when a length is not allowed: the stream is beyond repair. */
  push(chunk: Buffer): readonly Buffer[] | undefined {
    this.chunks.push(chunk)
    this.bytes += chunk.length
    const payloads: Buffer[] = []
    for (;;) {
      const length = this.nextLength()
      if (length === undefined) return payloads
      if (length === 0 || length > this.bytesMax) return undefined
      if (this.bytes < length + 4) return payloads
      const whole = this.joined()
      payloads.push(whole.subarray(4, length + 4))
      this.chunks = [whole.subarray(length + 4)]
      this.bytes -= length + 4
    }
  }

  private nextLength(): number | undefined {
    if (this.bytes < 4) return undefined
    const first = this.chunks[0]
    return (first !== undefined && first.length >= 4 ? first : this.joined()).readUInt32BE(0)
  }

  private joined(): Buffer {
    const whole = this.chunks.length === 1 ? this.chunks[0] : undefined
    if (whole !== undefined) return whole
    const joined = Buffer.concat(this.chunks, this.bytes)
    this.chunks = [joined]
    return joined
  }
}

type Fields = Readonly<Record<string, unknown>>

/** The object that `payload` is in JSON, or undefined. */
export function objectOf(payload: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? { ...value } : undefined
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

function frameOf(fields: Fields): Frame | undefined {
  const { kind, body = null } = fields
  const owner = nameOf(fields['owner'])
  const id = countOf(fields['id'])
  switch (kind) {
    case 'hello':
      return helloOf(fields)
    case 'alive':
      return { kind }
    case 'goodbye': {
      const code = nameOf(fields['code'])
      const reason = textOf(fields['reason'])
      return code === undefined || reason === undefined ? undefined : { kind, code, reason }
    }
    case 'message':
      return owner === undefined ? undefined : { kind, owner, body }
    case 'call':
      return owner === undefined || id === undefined ? undefined : { kind, owner, id, body }
    case 'answer':
      return id === undefined ? undefined : { kind, id, body }
    case 'refusal': {
      const code = nameOf(fields['code'])
      const reason = textOf(fields['reason'])
      if (id === undefined || code === undefined || reason === undefined) return undefined
      return { kind, id, code, reason, hint: textOf(fields['hint']) }
    }
    default:
      return typeof kind === 'string' ? { kind: 'unknown' } : undefined
  }
}

function helloOf(fields: Fields): Hello | undefined {
  const version = fields['protocol']
  if (typeof version !== 'object' || version === null) return undefined
  const major = 'major' in version ? countOf(version.major) : undefined
  const minor = 'minor' in version ? countOf(version.minor) : undefined
  const cluster = nameOf(fields['cluster'])
  const node = nameOf(fields['node'])
  const incarnation = parseIncarnation(fields['incarnation'])
  const revision = countOf(fields['revision'])
  if (major === undefined || minor === undefined || cluster === undefined) return undefined
  if (node === undefined || incarnation === undefined || revision === undefined) return undefined
  const software = nameOf(fields['version']) ?? 'unknown'
  const spoken = { major, minor }
  return {
    kind: 'hello',
    protocol: spoken,
    cluster,
    node,
    incarnation,
    revision,
    version: software,
  }
}

function nameOf(value: unknown): string | undefined {
  const isName = typeof value === 'string' && value !== '' && value.length <= nameLengthMax
  return isName ? value : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
