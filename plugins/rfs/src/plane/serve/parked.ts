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

  /** Gives back everything, each in turn as if it had just been read. What is kept again meanwhile stays, in order. */
  replay(request: Request, handle: (volume: Volume) => void): void {
    const kept = this.#kept
    this.#kept = []
    this.#bytes = 0
    for (const { volume, bytes } of kept) {
      bytes.copy(request.bytes)
      if (request.parse(bytes.length)) handle(volume)
    }
  }

  clear(): void {
    this.#kept = []
    this.#bytes = 0
  }
}
