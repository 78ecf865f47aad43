/**
 * The identity of one run of the daemon. Incarnations of a node are ordered by a counter on disk, so that what an
 * ended one said (a replayed datagram, a cloned machine) is never taken for the present one.
 */
import { randomBytes } from 'node:crypto'
import { HoldfastError } from '@holdfast/sdk'
import { readVersioned, type StateFormat, writeVersioned } from '../files/versioned.js'
import { nextBoot } from './decide.js'

export interface Incarnation {
  /** Grows with each start of the daemon on this node. */
  readonly boot: number
  /** `<boot>-<16 hex digits>`: differs between two machines that share a counter by mistake. */
  readonly id: string
}

const format: StateFormat = { format: 'incarnation', version: 1 }

/** Counts this start and returns its identity. */
export async function nextIncarnation(path: string, wallMs: number): Promise<Incarnation> {
  const last = await readVersioned(path, format)
  if (last !== undefined && !isCounter(last)) {
    throw new HoldfastError('E_STATE_DAMAGED', `${path} holds no counter`, {
      hint: 'move the file away: the counter begins again with the time of day',
    })
  }
  const boot = nextBoot(last?.boot ?? 0, wallMs)
  await writeVersioned(path, format, { boot })
  return { boot, id: `${String(boot)}-${randomBytes(8).toString('hex')}` }
}

/** Undefined: not an incarnation. */
export function parseIncarnation(text: unknown): Incarnation | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^(\d{1,15})-[0-9a-f]{16}$/.exec(text)
  return match === null ? undefined : { boot: Number(match[1]), id: text }
}

function isCounter(body: unknown): body is { boot: number } {
  return (
    typeof body === 'object' && body !== null && 'boot' in body && Number.isSafeInteger(body.boot)
  )
}
