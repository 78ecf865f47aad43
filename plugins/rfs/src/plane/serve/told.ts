/** What the follower says, record by record: whom it concerns is told. */
import { HEAD, KIND } from '../link/ops.js'
import type { InBuffer } from '../link/records.js'
import type { Verification } from '../verification/verification.js'
import type { Copy } from './copy.js'
import type { Stream } from './stream.js'
import type { Syncs } from './syncs.js'
import type { Windows } from './windows.js'

export interface ToldParts {
  readonly copy: Copy
  readonly stream: Stream
  readonly syncs: Syncs
  readonly windows: Windows
  readonly verification: Verification
}

export class Told {
  constructor(readonly parts: ToldParts) {}

  /** Returns why the record is refused, or undefined. */
  record(input: InBuffer, isLive: boolean): string | undefined {
    const { bytes, at, length } = input
    if (length < HEAD) return 'it is too short'
    const number = bytes.readUInt32LE(at + 4)
    switch (bytes[at]) {
      case KIND.PULSE:
        return undefined
      case KIND.READY:
        this.parts.copy.onReady(number)
        return undefined
      case KIND.FAILED:
        this.parts.copy.drop(
          `the follower failed: ${bytes.toString('utf8', at + HEAD + 2, at + length)}`,
        )
        return undefined
      default:
        return isLive ? this.#ofLive(input, number) : 'it came before the follower was live'
    }
  }

  #ofLive(input: InBuffer, number: number): string | undefined {
    const { stream, syncs, windows, verification } = this.parts
    const { bytes, at } = input
    const value = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * 0x1_0000_0000
    switch (bytes[at]) {
      case KIND.APPLIED:
        return stream.pending.acknowledge(value) ? undefined : 'it acknowledges what was not sent'
      case KIND.SYNCED:
        syncs.remoteDone(number)
        return undefined
      case KIND.WINDOW_SYNCED:
        windows.remoteSynced(stream.ops, value)
        return undefined
      case KIND.ANSWER:
        return verification.onAnswer(number, input)
      default:
        return `its kind is ${bytes[at] ?? -1}`
    }
  }
}
