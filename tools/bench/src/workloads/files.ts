/** Creation of small files by one thread: the name space operations, not the bytes, are the work. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Side } from '../sides/side.js'
import type { Measurement, Workload } from './workload.js'

const generator = fileURLToPath(new URL('../generators/create-files.js', import.meta.url))
const removeTimeoutMs = 180_000

export const fileCreation: Workload = {
  name: 'create-4k',
  title: '4 KiB file creation, 1 thread',
  unit: 'files/s',
  prepare: () => Promise.resolve(),
  beforeRound: removeFiles,
  async measure(side, seconds) {
    const command = [process.execPath, generator, directoryOf(side), `${seconds}`]
    const output = await side.node.mustRun(command, { timeoutMs: seconds * 1_000 + 60_000 })
    // Our own program printed it.
    return JSON.parse(output) as Measurement
  },
  clean: removeFiles,
}

async function removeFiles(side: Side): Promise<void> {
  await side.node.mustRun(['rm', '-rf', directoryOf(side)], { timeoutMs: removeTimeoutMs })
}

function directoryOf(side: Side): string {
  return join(side.directory, 'create-4k')
}
