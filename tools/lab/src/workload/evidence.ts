/** What a run left behind on the nodes' disks, read from outside: who ran when, and whether the replicas are equal. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../command.js'
import type { Host } from '../host.js'
import { monotonicMs } from '../wait.js'
import type { Application } from './application.js'
import { type Runner, runnersOf } from './judge.js'

const compareProgram = fileURLToPath(
  new URL('../../../../plugins/rfs/dist/verify/main.js', import.meta.url),
)

/** Where the applications write that they run: on each node's own disk, and not on the one that tests fill. */
export const evidenceDirectory = '/var/lib/holdfast/evidence'
const evidenceFile = 'var-lib-holdfast/evidence/evidence.log'

/** The replicated directory on the disk of a node, beneath the mount. */
export function replicaOf(node: Host, application: Application): string {
  return join(node.disk, application.directory)
}

/** Every run of the application on any of the nodes. */
export async function runnersOn(nodes: readonly Host[]): Promise<readonly Runner[]> {
  const runs: Runner[] = []
  for (const node of nodes) {
    runs.push(...runnersOf(node.name, await textOf(join(node.disk, evidenceFile))))
  }
  return runs
}

/**
 * Empty: the trees are identical. They are compared again until `timeoutMs` have passed: the last modification time of a file that
 * was just written may follow its data by a moment, and a database writes by itself.
 */
export async function differences(
  directories: readonly string[],
  options: { readonly timeoutMs: number; readonly settle?: () => Promise<void> },
): Promise<string> {
  const deadlineMs = monotonicMs() + options.timeoutMs
  for (;;) {
    await options.settle?.()
    const args = [compareProgram, ...directories]
    const compared = await runCommand(process.execPath, args, { timeoutMs: 60_000 })
    if (compared.code === 0) return ''
    const said = `${compared.stdout}${compared.stderr}`.trim()
    if (monotonicMs() > deadlineMs) return said === '' ? 'the comparison failed' : said
    await delay(200)
  }
}

/** Empty when there is no such file yet. */
export async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    // Whatever node:fs throws is an ErrnoException.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
