/** What an order about the cluster is refused for, whatever the state of the network. */
import { HoldfastError } from '@holdfast/sdk'

const ttlMinMs = 1_000
const ttlMaxMs = 7 * 24 * 3_600_000

export function insistNamed({ nodes }: { readonly nodes: readonly string[] }, node: string): void {
  if (nodes.includes(node)) return
  throw new HoldfastError('E_CLUSTER_NODE', `cluster.xml names no node "${node}"`, {
    hint: `it names ${nodes.join(', ')}`,
  })
}

export function inUse(node: string, module: string): HoldfastError {
  return new HoldfastError('E_CLUSTER_IN_USE', `module ${module} is configured on ${node}`, {
    hint: `take it from there first: stop it, holdfast module deconfig ${module}, and configure it on other nodes (--nodes)`,
  })
}

export function insistTtl(ttlMs: number): void {
  if (Number.isInteger(ttlMs) && ttlMs >= ttlMinMs && ttlMs <= ttlMaxMs) return
  throw new HoldfastError(
    'E_CLUSTER_TTL',
    `an invitation cannot be valid for ${String(ttlMs)} ms`,
    {
      hint: 'allowed: from 1 second to 7 days',
    },
  )
}
