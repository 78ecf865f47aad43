/**
 * What a follower is in charge of: the directories, open beneath the read-only views that cover them, and the journal. It outlives
 * sessions: who dials again takes it over as it is. A lost link so leaves no time in which others could change the directories.
 */
import { mountView, unmountOurs } from '../fuse/mount.js'
import type { PlaneParts } from '../parts.js'
import { isIdle, syncAll } from '../sync.js'
import { Volume } from '../volume.js'

export class Charge {
  #volumes: readonly Volume[]

  /** Opens the directories. Throws E_RFS_ROOT. */
  constructor(readonly parts: PlaneParts) {
    const { launch, descriptors } = parts
    this.#volumes = launch.volumes.map(({ index, directory }) =>
      Volume.open(index, directory, descriptors),
    )
  }

  get volumes(): readonly Volume[] {
    return this.#volumes
  }

  /** Shows the directories read-only, as far as they are not shown so already. */
  async cover(): Promise<void> {
    const { journal, log } = this.parts
    for (const { directory, point } of this.#volumes) {
      const cause = await mountView(point)
      // Nothing depends on the view but who writes here by mistake: following matters more.
      if (cause !== undefined) log('warning', 'viewNotMade', { directory, cause })
    }
    // What is changed from here on, this side changes: it looks for what others did before it begins.
    journal.takeCharge()
  }

  /** For the next session, when the one before has ended: nothing is known of its inodes any more. */
  async renew(): Promise<void> {
    await isIdle(this.parts.pool)
    this.#volumes = this.#volumes.map((volume) => volume.renewed())
  }

  /** When no session uses it any more: everything is on this disk, the directories are uncovered, the journal is closed. */
  async end(): Promise<void> {
    const { journal } = this.parts
    journal.endCharge()
    await syncAll(this.parts, this.#volumes)
    for (const { point } of this.#volumes) await unmountOurs(point, true)
    for (const volume of this.#volumes) volume.close()
    journal.closeClean()
  }
}
