/** A notifier carries notices out of the cluster, to people or programs: mail, a web hook. */
import type { LogLevel } from './services.js'
import { point } from './token.js'
import type { Verdict } from './verdict.js'

/** One thing that happened on this node. */
export interface Notice {
  /** The number of its entry in the log of this node. */
  readonly sequence: number
  readonly atMs: number
  readonly level: LogLevel
  readonly module: string | undefined
  readonly plugin: string | undefined
  readonly event: string
  /** What happened, and why: one line. */
  readonly text: string
  /** What the operator can do next, when there is something to do. */
  readonly hint: string | undefined
}

export interface NoticeMessage {
  /** The same at each attempt: a receiver that knows it already drops the second one. */
  readonly id: string
  readonly cluster: string
  readonly node: string
  /** 1 to 100, oldest first. */
  readonly notices: readonly Notice[]
  /** So many older ones came too fast, and are in the log of the node only. */
  readonly dropped: number
}

/** Which notices go out, how often, and when again, is not its business: it makes one attempt when it is asked. */
export interface Notifier {
  /** As operators see it, and unique: `mail`. Letters, digits and minus. */
  readonly name: string
  /**
   * A file that only its owner can read. It is read before each attempt, so that a new password needs no restart, and by the
   * one who calls: its rules are in one place. Undefined: no secret is needed.
   */
  readonly secretFile: string | undefined
  /** One attempt. Answers `done` when the receiver has it; a refusal says why, and never shows the secret. */
  deliver(message: NoticeMessage, secret: string | undefined, signal: AbortSignal): Promise<Verdict>
}

export const notifier = point<Notifier>('point.notifier')
