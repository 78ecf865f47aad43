/** Sessions between the two data planes: made by the serving side, fetched by the follower over mutual TLS. */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { HoldfastError, messageOf, type Peers } from '@holdfast/sdk'
import { objectOf } from './object.js'
import type { PlaneCode } from './protocol.js'
import { type Refusal, refusal } from './refusal.js'
import { planeCodeOf } from './wire.js'

export interface Session {
  readonly session: string
  readonly key: string
  readonly port: number
}

/** A key is used for one pair of connections only: the same key with record number 0 again would break AES-GCM. */
export function newSession(port: number): Session {
  return {
    session: randomBytes(16).toString('hex'),
    key: randomBytes(32).toString('hex'),
    port,
  }
}

const format = 1
const askWaitMs = 10_000
const lookupWaitMs = 3_000

/** The question of the follower to the rfs plugin of the serving node. `speaks`: of its data plane. */
export async function askSession(
  peers: Peers,
  node: string,
  question: { readonly epoch: number; readonly speaks: number | undefined },
): Promise<Session | Refusal> {
  try {
    const answer = await peers.call(node, { ask: 'session', format, ...question }, askWaitMs)
    return sessionOf(answer) ?? refusal('E_RFS_PROTOCOL', `${node} answered without a session`)
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return refusal(error.code, `no session from ${node}: ${error.message}`)
  }
}

/** Which code the data plane of the other node runs. Undefined: it did not say. */
export async function askCode(peers: Peers, node: string): Promise<PlaneCode | undefined> {
  try {
    const answer = await peers.call(node, { ask: 'code', format }, askWaitMs)
    return planeCodeOf(objectOf(answer)?.['code'])
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return undefined
  }
}

export type Question =
  | { readonly ask: 'code' }
  | { readonly ask: 'session'; readonly epoch: number; readonly speaks: number | undefined }

/** Undefined when `message` is no question. A newer format is refused, not guessed. */
export function questionOf(message: unknown): Question | undefined {
  const fields = objectOf(message)
  if (fields?.['format'] !== format) return undefined
  const { ask, epoch, speaks } = fields
  if (ask === 'code') return { ask }
  if (ask !== 'session' || typeof epoch !== 'number') return undefined
  return { ask, epoch, speaks: typeof speaks === 'number' ? speaks : undefined }
}

/** The data plane dials numbers; cluster.xml may hold a name. */
export async function resolveAddress(
  address: string | undefined,
  node: string,
): Promise<string | Refusal> {
  if (address === undefined) {
    return refusal('E_RFS_ADDRESS', `${node} has no address on the LAN of the replication`)
  }
  if (isIP(address) !== 0) return address
  const found = lookup(address).then(
    (one) => one.address,
    (error: unknown) => refusal('E_RFS_ADDRESS', `${address}: ${messageOf(error)}`),
  )
  const late = AbortSignal.timeout(lookupWaitMs)
  return Promise.race([
    found,
    new Promise<Refusal>((resolve) => {
      late.addEventListener('abort', () => {
        resolve(refusal('E_RFS_ADDRESS', `${address}: the name service does not answer`))
      })
    }),
  ])
}

function sessionOf(answer: unknown): Session | undefined {
  const fields = objectOf(answer)
  const [session, key, port] = [fields?.['session'], fields?.['key'], fields?.['port']]
  const sound =
    typeof session === 'string' &&
    /^[0-9a-f]{32}$/.test(session) &&
    typeof key === 'string' &&
    /^[0-9a-f]{64}$/.test(key) &&
    typeof port === 'number' &&
    Number.isInteger(port) &&
    port > 0 &&
    port < 65_536
  return sound ? { session, key, port } : undefined
}
