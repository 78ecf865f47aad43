/** Pure: the nodes that a module is to have. */
import { HoldfastError } from '@holdfast/sdk'

/** Nodes that have the module now (`present`) must stay: taking one away is what deconfig is for. Sorted. */
export function chooseNodes(
  name: string,
  known: {
    readonly requested: readonly string[] | undefined
    readonly present: readonly string[] | undefined
    readonly cluster: readonly string[]
  },
): readonly string[] {
  const { requested, present, cluster } = known
  const nodes = [...new Set(requested ?? present ?? cluster)].sort()
  const unknown = nodes.filter((node) => !cluster.includes(node))
  if (unknown.length > 0 || nodes.length === 0) {
    throw new HoldfastError('E_MODULE_NODES', `${unknown.join(', ')} is not in the cluster`, {
      hint: `nodes of the cluster: ${cluster.join(', ')}`,
    })
  }
  const left = (present ?? []).filter((node) => !nodes.includes(node))
  if (left.length === 0) return nodes
  throw new HoldfastError(
    'E_MODULE_NODES',
    `module ${name} is also configured on ${left.join(', ')}`,
    { hint: 'deconfigure it first, then configure it on the nodes that shall have it' },
  )
}
