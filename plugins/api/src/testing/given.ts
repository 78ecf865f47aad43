/** The nodes that a test of the API begins with; they stop with the test. */
import type { Route } from '@holdfast/sdk'
import type { ExecutionContext } from 'ava'
import { type FakeNode, startFakeNodes } from './fake-nodes.js'

export async function one(t: ExecutionContext, routes: readonly Route[] = []): Promise<FakeNode> {
  const { nodes, stop } = await startFakeNodes(['n1'], routes)
  t.teardown(stop)
  const [node] = nodes
  if (node === undefined) throw new Error('no node')
  return node
}

export async function pair(t: ExecutionContext): Promise<readonly [FakeNode, FakeNode]> {
  const { nodes, stop } = await startFakeNodes(['n1', 'n2'])
  t.teardown(stop)
  const [n1, n2] = nodes
  if (n1 === undefined || n2 === undefined) throw new Error('no nodes')
  return [n1, n2]
}
