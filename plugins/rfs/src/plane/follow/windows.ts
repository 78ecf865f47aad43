/**
 * The follower's half of closing a window: a window of its own is opened where the server's was in the stream of ops;
 * when this disk has everything before it, the server is told; when both disks have, the keys are dropped.
 */
import { KIND, type OpWriter } from '../link/ops.js'
import type { PlaneParts } from '../parts.js'
import type { Volume } from '../volume.js'
import type { WorkerPool } from '../workers/pool.js'

export class FollowerWindows {
  /** The server's window that is being closed, and ours that was opened with it. */
  #closing: { readonly theirs: number; readonly ours: number } | undefined

  constructor(
    readonly parts: Pick<PlaneParts, 'journal'> & { readonly pool: Pick<WorkerPool, 'syncfs'> },
    readonly volumes: readonly Pick<Volume, 'root' | 'directory'>[],
    readonly answers: Pick<OpWriter, 'plain'>,
    readonly onFailed: (directory: string, error: number) => void,
  ) {}

  close(theirs: number): void {
    const { journal, pool } = this.parts
    // The server closes one after the other; one that it gave up is replaced.
    this.#closing = { theirs, ours: journal.openWindow() }
    let left = this.volumes.length
    for (const volume of this.volumes) {
      pool.syncfs(volume.root, (result) => {
        if (result < 0) this.onFailed(volume.directory, result)
        else if (--left === 0) this.answers.plain(KIND.WINDOW_SYNCED, 0, theirs)
      })
    }
  }

  done(theirs: number): void {
    if (this.#closing?.theirs !== theirs) return
    this.parts.journal.dropBefore(this.#closing.ours)
    this.#closing = undefined
  }
}
