/** Turns what the file system refuses (full disk, read-only, no permission) into an error for the operator. */
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'

/** `what` is written or removed, for example "the keys". */
export async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof HoldfastError || codeOf(thrown) === undefined) throw thrown
    throw new HoldfastError('E_CLUSTER_DISK', `${what} cannot be written: ${messageOf(thrown)}`, {
      hint: 'check free space, permissions and the state of the disk on this node',
      cause: thrown,
    })
  }
}
