/**
 * What the plugin and its data plane process say to each other: the launch file and the control socket
 * (docs/RFS.md, "Control socket"). Types and names only; both sides import this file.
 */
import type { LogLevel, Progress } from '@holdfast/sdk'

/**
 * Written by the plugin before it starts `node dist/plane/main.js <launch file>`. No secrets in it.
 * A data plane that finds another `format` must refuse to start.
 */
export interface PlaneLaunch {
  readonly format: 1
  readonly module: string
  readonly node: string
  /** Unix socket to listen on; a socket file that is left over is replaced (the lock is held by then). */
  readonly socket: string
  /** Directory of the journal; created by the data plane. */
  readonly journal: string
  readonly volumes: readonly {
    readonly index: number
    readonly directory: string
    /** What of it stays on this node alone. */
    readonly notReplicated?: readonly { readonly path?: string; readonly regexpath?: string }[]
  }[]
  readonly zoneBytes: number
  readonly timeoutMs: number
  readonly async: 'none' | 'second'
  readonly encryption: boolean
  /** Processors are kept from halting while there is a stream of work. */
  readonly awake: boolean
  /**
   * Where to listen while serving. Bound with IP_FREEBIND, so that an interface that is down does not keep
   * the node from serving. No address: all of them (what connects must know the session anyway).
   */
  readonly listen: { readonly address: string | undefined; readonly port: number }
  /** Limit for resynchronisation; undefined: none. */
  readonly copyBytesPerSecond: number | undefined
}

/** Session and key are lower-case hexadecimal: 16 and 32 bytes. */
export type PlaneOrder =
  | { readonly order: 'status' }
  | { readonly order: 'serve'; readonly generation: string; readonly alone: boolean }
  /** Go on with the mounts of a data plane that died while it served. */
  | { readonly order: 'resume' }
  | {
      readonly order: 'admit'
      readonly epoch: number
      readonly full: boolean
      readonly session: string
      readonly key: string
    }
  | { readonly order: 'detach'; readonly epoch: number; readonly generation: string }
  | { readonly order: 'drain' }
  /** The role is given up: whatever waits, and every change from now on, is answered with EIO. */
  | { readonly order: 'refuse' }
  /** `force`: unmount lazily and end the connection; who still holds a file gets errors. Else E_RFS_BUSY when it is in use. */
  | { readonly order: 'unserve'; readonly force: boolean }
  | {
      readonly order: 'follow'
      readonly epoch: number
      readonly full: boolean
      /** Numeric IPv4 or IPv6. */
      readonly address: string
      readonly port: number
      readonly session: string
      readonly key: string
      /** A directory where each file is kept before it is overwritten or removed. */
      readonly aside?: string
    }
  | { readonly order: 'unfollow' }
  /** Serving, with a live follower: compare both trees while applications go on. The end is told by `verified`. */
  | {
      readonly order: 'verify'
      /** Undefined: all of them. */
      readonly volume?: number
      /** Relative to the volume, a byte string (latin1); empty: everything. */
      readonly path: string
      /** What differs is sent to the follower again. */
      readonly repair: boolean
    }
  | { readonly order: 'endVerify' }
  | { readonly order: 'exit' }

export type PlaneRole = 'idle' | 'serving' | 'following'

/** The same digest: the same bytes (`code.ts`). The version is for people. */
export interface PlaneCode {
  readonly version: string
  readonly digest: string
}

/**
 * `copying`: connected, the follower is not identical yet. `held`: it was live, was lost, and changes wait for `detach`.
 */
export type PlaneLink = 'none' | 'copying' | 'live' | 'held'

/** Answer to `status`: these fields beside `id` and `ok`. */
export interface PlaneStatus {
  readonly pid: number
  /** Undefined: of a version that does not say it. */
  readonly code: PlaneCode | undefined
  /** Version of the copy between two data planes: both must have the same. Undefined: of a version that does not say it. */
  readonly speaks: number | undefined
  readonly role: PlaneRole
  readonly generation: string | undefined
  /** Of the last admit, detach or follow. */
  readonly epoch: number
  readonly link: PlaneLink
  /** Milliseconds since anything arrived on the link for ops; undefined: there is none. */
  readonly heardMsAgo: number | undefined
  readonly progress: Progress | undefined
  readonly counters: Readonly<Record<string, number>>
}

/** `follow` and `admit` are answered when they are accepted; how they went on is told by events. */
export type PlaneAnswer =
  | { readonly id: number; readonly ok: true }
  | {
      readonly id: number
      readonly ok?: false
      readonly code: string
      readonly reason: string
      readonly hint?: string
    }

export type PlaneEvent =
  | { readonly event: 'copyFinished'; readonly epoch: number }
  | {
      readonly event: 'linkLost'
      readonly epoch: number
      readonly cause: string
      readonly wasLive: boolean
    }
  | { readonly event: 'progressed'; readonly epoch: number; readonly progress: Progress }
  | { readonly event: 'dataFailed'; readonly cause: string }
  | { readonly event: 'verified'; readonly report: VerifyReport }
  | {
      readonly event: 'log'
      readonly level: LogLevel
      /** Name of the log event. */
      readonly name: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/** How a name of the follower differs from that of the server. */
export type DifferenceKind =
  | 'missing'
  | 'extra'
  | 'type'
  | 'mode'
  | 'owner'
  | 'time'
  | 'size'
  | 'attributes'
  | 'target'
  | 'device'
  | 'content'
  | 'links'
  | 'unreadable'

export interface Difference {
  readonly directory: string
  /** Relative to the directory; `.` is the directory itself. */
  readonly path: string
  readonly what: readonly DifferenceKind[]
  /** Of content: which zone of the file. */
  readonly zone?: number
  readonly repaired: boolean
}

export interface VerifyReport {
  /** `equal`: also when all that differed was repaired. `interrupted`: what was not looked at is not known. */
  readonly outcome: 'equal' | 'different' | 'interrupted'
  /** Why it was interrupted. */
  readonly cause: string | undefined
  readonly ms: number
  readonly names: number
  readonly bytes: number
  /** Names that could not be asked about: their paths or attributes are too long. */
  readonly skipped: number
  readonly differences: number
  readonly repaired: number
  readonly zoneBytes: number
  /** The first ones. */
  readonly listed: readonly Difference[]
}

/** A longer line ends the connection, on both sides. */
export const lineBytesMax = 1024 * 1024

/** Each module has four ports; rfs uses the first for ops and resynchronisation. */
export function portOf(moduleId: number): number {
  return 5600 + 4 * (moduleId - 1)
}
