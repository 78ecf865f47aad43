/** The disk itself, without replication: what the others are measured against. */
import { join } from 'node:path'
import type { Host } from '@holdfast/lab'
import { beneathDirectory, diskDirectory } from '../disks.js'
import type { Side } from './side.js'

export async function nativeSide(node: Host): Promise<Side> {
  const directory = join(diskDirectory, 'native')
  await node.mustRun(['mkdir', '-p', directory])
  return {
    name: 'native',
    node,
    directory,
    copies: [{ node, directory: join(beneathDirectory, 'native') }],
    movesData: () => false,
    check: () => Promise.resolve(),
    end: () => Promise.resolve(),
  }
}
