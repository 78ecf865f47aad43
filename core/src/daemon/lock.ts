/** One daemon a node. The kernel releases the lock when the process ends, however it ends: no file gets stale. */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { HoldfastError } from '@holdfast/sdk'
import type { Directories } from '../files/directories.js'
import { codeOf } from '../files/atomic.js'

/** The lock lasts as long as the returned server, which also keeps the process alive. Throws `E_DAEMON_RUNNING`. */
export async function takeLock(directories: Directories): Promise<Server> {
  // A name in the abstract namespace, from the directories: several nodes can live on one machine.
  const where = createHash('sha256').update(`${directories.lib}\n${directories.run}`).digest('hex')
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(codeOf(error) === 'EADDRINUSE' ? running(directories) : error)
    })
    server.listen(`\0holdfastd-${where.slice(0, 32)}`, resolve)
  })
  return server
}

function running(directories: Directories): HoldfastError {
  return new HoldfastError('E_DAEMON_RUNNING', `holdfastd runs already for ${directories.lib}`, {
    hint: 'look with "systemctl status holdfastd"',
  })
}
