/**
 * Closes the journal's windows while a follower is live: when both disks have everything that was touched before,
 * the keys are dropped. A window that does not come to its end (the link is lost) drops nothing.
 */
import { KIND, type OpWriter } from '../link/ops.js'
import type { Journal } from '../resync-port.js'
import type { Volume } from '../volume.js'
import type { WorkerPool } from '../workers/pool.js'

const WINDOW_MS = 30_000

interface Open {
  readonly window: number
  localLeft: number
  remote: boolean
}

/** When a window is closed: a while after the one before, if anything was sent since. */
export class WindowTimes {
  #closedAt = 0
  #sent = 0

  constructor(readonly windowMs = WINDOW_MS) {}

  /** Of a session: its first window is closed in any case. */
  begin(now: number): void {
    this.closed(now, -1)
  }

  closed(now: number, sent: number): void {
    this.#closedAt = now
    this.#sent = sent
  }

  due(sent: number): number {
    return sent === this.#sent ? Infinity : this.#closedAt + this.windowMs
  }
}

export class Windows {
  #open: Open | undefined
  /** This disk lost something once; a later syncfs does not say it again. No key is dropped any more. */
  #broken = false

  constructor(
    readonly journal: Journal,
    readonly volumes: readonly Pick<Volume, 'root'>[],
    readonly pool: Pick<WorkerPool, 'syncfs'>,
    readonly onBroken: () => void,
  ) {}

  get closing(): boolean {
    return this.#open !== undefined
  }

  close(ops: Pick<OpWriter, 'plain'>): void {
    if (this.#open !== undefined || this.#broken) return
    const window = this.journal.openWindow()
    const open: Open = { window, localLeft: this.volumes.length, remote: false }
    this.#open = open
    ops.plain(KIND.WINDOW, 0, window)
    for (const { root } of this.volumes) {
      this.pool.syncfs(root, (result) => {
        open.localLeft--
        if (result < 0) this.#fail()
        this.#finish(ops, open)
      })
    }
  }

  remoteSynced(ops: Pick<OpWriter, 'plain'>, window: number): void {
    if (this.#open?.window !== window) return
    this.#open.remote = true
    this.#finish(ops, this.#open)
  }

  /** The link is lost. */
  giveUp(): void {
    this.#open = undefined
  }

  #fail(): void {
    if (!this.#broken) this.onBroken()
    this.#broken = true
  }

  #finish(ops: Pick<OpWriter, 'plain'>, open: Open): void {
    if (this.#open !== open || open.localLeft > 0 || !open.remote) return
    this.#open = undefined
    if (this.#broken) return
    this.journal.dropBefore(open.window)
    ops.plain(KIND.WINDOW_DONE, 0, open.window)
  }
}
