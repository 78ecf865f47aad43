/** The one transaction that claims a generation in etcd, and what its answer means. Pure. */
import type { Claim } from '@holdfast/sdk'

export interface Place {
  readonly prefix: string
  readonly cluster: string
  readonly module: string
}

/** Grants kept for nodes that repeat a claim; older ones are removed with each new grant. */
export const grantsMax = 64

/**
 * One key a grant: `PREFIX/CLUSTER/MODULE/GENERATION` holds the node. If there is no key for this generation or a
 * newer one, this node gets it; else the answer says who has it. One comparison over a range of keys is both rules
 * at once: each generation once, and none that is not newer than the newest.
 */
export function claimTransaction(place: Place, generation: number, node: string): object {
  const key = encode(keyOf(place, generation))
  const oldest = Math.max(0, generation - grantsMax)
  return {
    compare: [
      {
        key,
        range_end: encode(endOf(place)),
        target: 'CREATE',
        result: 'EQUAL',
        create_revision: '0',
      },
    ],
    success: [
      { request_put: { key, value: encode(node) } },
      {
        request_delete_range: {
          key: encode(keyOf(place, 0)),
          range_end: encode(keyOf(place, oldest)),
        },
      },
    ],
    failure: [{ request_range: { key } }],
  }
}

/** Undefined: this is no answer of etcd. */
export function claimOf(answer: unknown, node: string): Claim | undefined {
  // proto3 leaves out what is false.
  if (field(answer, 'succeeded') === true) return 'granted'
  const responses = field(answer, 'responses')
  if (!Array.isArray(responses) || responses.length !== 1) return undefined
  const range = field(responses[0], 'response_range')
  if (range === undefined) return undefined
  const found = field(range, 'kvs')
  // Nobody was granted this one, but a newer one was granted.
  if (found === undefined) return 'refused'
  if (!Array.isArray(found) || found.length !== 1) return undefined
  const value = field(found[0], 'value')
  if (typeof value !== 'string') return undefined
  return Buffer.from(value, 'base64').toString('utf8') === node ? 'granted' : 'refused'
}

/** Digits of the largest safe integer: the order of the keys is the order of the numbers. */
const digits = 16

function keyOf({ prefix, cluster, module }: Place, generation: number): string {
  return `${prefix}/${cluster}/${module}/${String(generation).padStart(digits, '0')}`
}

/** The first key after all grants of a module: `0` follows `/`. */
function endOf({ prefix, cluster, module }: Place): string {
  return `${prefix}/${cluster}/${module}0`
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
