/** Gives the directories back: orderly through the data plane, else without it. */
import type { Clock, Exec, Log, Verdict } from '@holdfast/sdk'
import { findHolders } from './holders.js'
import { unmountLeftovers } from './mounts.js'
import { verdictOf } from './parts.js'
import type { Plane } from './plane.js'
import { signalProcess } from './process.js'
import { release } from './release.js'

/** Ends with syncfs: as long as the disk needs for what is still in memory. */
export const unserveWaitMs = 300_000

export class Withdrawal {
  constructor(
    private readonly parts: {
      readonly clock: Clock
      readonly exec: Exec
      readonly log: Log
      readonly plane: Plane
      readonly directories: readonly string[]
    },
  ) {}

  /** Of a data plane that serves: who still uses the directories is made to leave them first. */
  async giveUp(signal: AbortSignal): Promise<Verdict> {
    const { clock, log, plane, directories } = this.parts
    const pid = plane.pid()
    return release(
      {
        clock,
        log,
        unmount: (force) => this.unmount(force),
        holders: () => findHolders(directories, pid === undefined ? [] : [pid]),
        signal: signalProcess,
      },
      signal,
    )
  }

  /** Ends a data plane that does not answer, and unmounts what it left. */
  async sweep(lazy: boolean): Promise<Verdict> {
    const { plane, exec, directories } = this.parts
    await plane.kill()
    return unmountLeftovers(exec, directories, lazy)
  }

  private async unmount(force: boolean): Promise<Verdict> {
    const { plane, log } = this.parts
    if (await plane.attach()) {
      const verdict = await verdictOf(plane.order({ order: 'unserve', force }, unserveWaitMs))
      if (verdict.ok || (verdict.code === 'E_RFS_BUSY' && !force)) return verdict
      // Without the process the kernel answers every write with an error; what it wrote is with the file system.
      log.write('critical', 'dataPlaneKilled', { cause: verdict.reason })
    }
    return this.sweep(force)
  }
}
