/** The orderly end of a role: what was changed is on this disk before the journal is closed as clean. */
import { errnoName } from './libc.js'
import type { PlaneParts } from './parts.js'
import type { Volume } from './volume.js'

/**
 * Jobs of worker threads, which use descriptors that are about to be closed, end first. A disk that can't keep it makes the journal distrusted: what is on it has to be compared.
 */
export async function syncAll(parts: PlaneParts, volumes: readonly Volume[]): Promise<void> {
  const { pool, journal } = parts
  await isIdle(pool)
  const syncs = volumes.map(
    ({ root }) => new Promise<number>((resolve) => pool.syncfs(root, resolve)),
  )
  const failed = (await Promise.all(syncs)).find((result) => result < 0)
  if (failed !== undefined) journal.distrust(`syncfs failed: ${errnoName(failed)}`)
}

/** Resolves when no job of a worker thread is under way. */
export async function isIdle(pool: PlaneParts['pool']): Promise<void> {
  while (pool.busy > 0) await new Promise((resolve) => setImmediate(resolve))
}
