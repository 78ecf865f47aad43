/** Who does what only one process of this machine may do at a time. */
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Does it unless somebody does it already; undefined: somebody did. The claim is a socket without a file: the kernel gives it to
 * one process only, and takes it back when that one dies.
 */
export async function claimed<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
  const claim = createServer().listen(`\0holdfast-lab ${what}`)
  try {
    await once(claim, 'listening')
  } catch (error) {
    // Whatever node:net emits is an ErrnoException.
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
  try {
    return await act()
  } finally {
    claim.close()
  }
}
