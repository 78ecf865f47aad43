/** The mounts of a data plane that serves: made, taken over from one that died, and ended. */
import { HoldfastError, assert } from '@holdfast/sdk'
import { exclusionsOf } from '../exclusions.js'
import { mountOver, unmountOurs } from '../fuse/mount.js'
import { FuseSession, type SessionParts } from '../fuse/session.js'
import type { Inheritance } from '../keeper.js'
import { POLL, close } from '../libc.js'
import { NamelessFiles } from '../nameless.js'
import type { Node } from '../nodes.js'
import type { PlaneParts } from '../parts.js'
import { Volume } from '../volume.js'
import type { Succession } from './succession.js'

export interface MountsParts extends Pick<PlaneParts, 'launch' | 'loop' | 'descriptors'> {
  readonly session: SessionParts
  readonly succession: Succession
  /** A node left the table of its volume. */
  readonly onLeft: (volume: Volume, node: Node) => void
}

export class Mounts {
  readonly volumes: Volume[] = []
  readonly #sessions: FuseSession[] = []

  constructor(readonly parts: MountsParts) {}

  /** This kernel gives requests again that a data plane had read and did not answer. */
  get canResend(): boolean {
    return this.#sessions.every(({ canResend }) => canResend)
  }

  /** Throws when one of the directories can't be mounted: `undo` then, in any case. */
  async make(): Promise<void> {
    const { launch, descriptors, onLeft } = this.parts
    for (const { index, directory } of launch.volumes) {
      this.#add(Volume.open(index, directory, descriptors, onLeft))
    }
    for (const volume of this.volumes) {
      volume.fuse = await mountOver(volume.directory, launch.module)
      await this.#begin(volume).untilReady()
    }
  }

  async undo(): Promise<void> {
    for (const volume of this.volumes) if (volume.fuse >= 0) await unmountOurs(volume.point, true)
    this.close()
  }

  /** The volumes of a data plane that died, with the names that the kernel knows from it and its files without a name. */
  inherit({ kept, volumes, queue }: Inheritance): void {
    const { descriptors, onLeft, succession } = this.parts
    kept.volumes.forEach((named, index) => {
      const inherited = volumes[index]
      assert(inherited !== undefined, 'each volume has its descriptors')
      this.#add(Volume.inherited(named, inherited, descriptors, onLeft))
    })
    for (const { volume: index, id, type, fd, linkable } of NamelessFiles.take(queue)) {
      const volume = this.volumes[index]
      assert(volume !== undefined, 'the queue knows the volumes of its keeper')
      succession.keep(volume, volume.table.inheritNameless(id, type, fd, linkable))
    }
    close(queue)
  }

  /** Goes on with what was inherited: the kernel gives again what the data plane that died had read and did not answer. */
  takeOver(): void {
    for (const volume of this.volumes) this.#begin(volume).takeOver()
  }

  /** Throws E_RFS_BUSY while files are open, unless it is forced. */
  async unmount(force: boolean): Promise<void> {
    for (const volume of this.volumes) {
      if (volume.fuse < 0) continue
      const failure = await unmountOurs(volume.point, force)
      if (failure !== undefined && !force) {
        throw new HoldfastError('E_RFS_BUSY', `${volume.directory} is in use: ${failure}`, {
          hint: 'A program still uses the directory.',
        })
      }
      this.leave(volume)
    }
    assert(this.#sessions.length === 0, 'nothing comes in any more')
  }

  /** May requests be read now? */
  listen(may: boolean): void {
    for (const session of this.#sessions) session.wants = may ? POLL.IN : 0
  }

  /** No request of this mount is read any more. */
  leave(volume: Volume): void {
    const session = this.#sessions.find((one) => one.volume === volume)
    if (session === undefined) return
    this.parts.loop.remove(session)
    this.#sessions.splice(this.#sessions.indexOf(session), 1)
  }

  /** Ends the connections to the kernel: whoever still holds a file gets errors. */
  close(): void {
    for (const volume of this.volumes) {
      this.leave(volume)
      if (volume.fuse >= 0) close(volume.fuse)
      volume.fuse = -1
      volume.close()
    }
  }

  #add(volume: Volume): void {
    const { notReplicated } = this.parts.launch.volumes[volume.index] ?? {}
    volume.table.exclusions = exclusionsOf(notReplicated)
    this.volumes.push(volume)
  }

  #begin(volume: Volume): FuseSession {
    const session = new FuseSession(volume, this.parts.session)
    this.#sessions.push(session)
    this.parts.loop.add(session)
    return session
  }
}
