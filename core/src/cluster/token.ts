/** The text that an operator carries from one node to another: `HF1-` and base64url of what the invited node must know. */
import { HoldfastError } from '@holdfast/sdk'
import { type Lan, objectOf } from '../network/index.js'
import type { ClusterConfig } from './config.js'

export interface InvitationToken {
  /** Where the inviting node listens, in order of preference. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  readonly cluster: string
  /** SHA-256 of the authority's certificate, 64 hex digits. */
  readonly authority: string
  /** The node that is invited. */
  readonly node: string
  /** Names the invitation; not secret. */
  readonly id: string
  /** 32 bytes, 64 hex digits. Never logged. */
  readonly secret: string
}

const prefix = 'HF1-'
const lengthMax = 4096
const addressesMax = 16

export function encodeToken(token: InvitationToken): string {
  return prefix + Buffer.from(JSON.stringify(token)).toString('base64url')
}

/** Throws `E_JOIN_TOKEN`. */
export function decodeToken(text: string): InvitationToken {
  const trimmed = text.trim()
  const isOurs = trimmed.length <= lengthMax && /^HF1-[A-Za-z0-9_-]+$/.test(trimmed)
  const fields = isOurs
    ? objectOf(Buffer.from(trimmed.slice(prefix.length), 'base64url'))
    : undefined
  const token = fields === undefined ? undefined : tokenOf(fields)
  if (token !== undefined) return token
  throw new HoldfastError('E_JOIN_TOKEN', 'this is not an invitation token', {
    hint: 'copy the whole text beginning with HF1- that "holdfast cluster invite" printed',
  })
}

function tokenOf(fields: Readonly<Record<string, unknown>>): InvitationToken | undefined {
  const { addresses, cluster, authority, node, id, secret } = fields
  if (!isText(cluster, /^[0-9a-f]{16}$/) || !isText(authority, /^[0-9a-f]{64}$/)) return undefined
  if (!isText(node, /^[a-z0-9-]{1,63}$/) || !isText(id, /^[0-9a-f]{16}$/)) return undefined
  if (!isText(secret, /^[0-9a-f]{64}$/) || !Array.isArray(addresses)) return undefined
  if (addresses.length === 0 || addresses.length > addressesMax) return undefined
  const targets = addresses.map(targetOf)
  const known = targets.filter((target) => target !== undefined)
  if (known.length !== targets.length) return undefined
  return { addresses: known, cluster, authority, node, id, secret }
}

function targetOf(value: unknown): { host: string; port: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (!('host' in value) || !('port' in value)) return undefined
  const { host, port } = value
  if (typeof host !== 'string' || host === '' || host.length > 255) return undefined
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) {
    return undefined
  }
  return { host, port }
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

/** Where the invited node finds this one: the LANs that it is on itself come first. */
export function addressesFor(config: ClusterConfig, node: string) {
  const isOn = (lan: Lan): boolean => lan.nodes.some((one) => one.name === node)
  const lans = [...config.lans.filter(isOn), ...config.lans.filter((lan) => !isOn(lan))]
  return lans.flatMap((lan) =>
    lan.nodes
      .filter((one) => one.name === config.self)
      .map((one) => ({ host: one.addr, port: lan.port })),
  )
}
