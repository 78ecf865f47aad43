/** Requests that change something, kept until it is known whether a follower must have them. In order, bounded. */
import { assert } from '@holdfast/sdk'
import type { Request } from '../fuse/request.js'
import type { Volume } from '../volume.js'
import { PENDING_BYTES_MAX, PENDING_MAX } from './pending.js'

interface Kept {
  readonly volume: Volume
  readonly bytes: Buffer
}

export class Parked {
  #kept: Kept[] = []
  #bytes = 0

  get count(): number {
    return this.#kept.length
  }

  /** No request should be read now. */
  get full(): boolean {
    return this.#kept.length >= PENDING_MAX || this.#bytes > PENDING_BYTES_MAX
  }

  keep(volume: Volume, request: Request): void {
    assert(this.#kept.length < PENDING_MAX * 2, 'the requests that are kept are bounded')
    const bytes = Buffer.from(request.bytes.subarray(0, request.length))
    this.#kept.push({ volume, bytes })
    this.#bytes += bytes.length
  }

  /** Gives back one after the other, each as if it had just been read, while it may. The rest stays, in order. */
  replay(request: Request, handle: (volume: Volume) => void, may: () => boolean): void {
    const kept = this.#kept
    this.#kept = []
    let done = 0
    while (done < kept.length && may()) {
      const next = kept[done++]
      if (next === undefined) break
      const { volume, bytes } = next
      this.#bytes -= bytes.length
      bytes.copy(request.bytes)
      if (request.parse(bytes.length)) handle(volume)
    }
    // What was kept again while it was handled came before the rest.
    this.#kept = this.#kept.concat(kept.slice(done))
  }

  clear(): void {
    this.#kept = []
    this.#bytes = 0
  }
}
