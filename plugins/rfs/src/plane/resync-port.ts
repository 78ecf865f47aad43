/**
 * The seam between the data plane's loop on one side and the journal and the resynchronisation on the other:
 * types only. The loop never imports a class of `journal/` or `resync/` except in `main.ts`.
 */
import type { ExclusionRule } from './exclusions.js'
import type { Changed, Gap } from './journal/gaps.js'

/**
 * A path of a replicated tree, relative to the root of its volume, as a byte string: one character a byte (latin1),
 * no leading and no trailing slash; the root itself is the empty string. Never decode it as UTF-8.
 */
export type BytePath = string

/** An encoded set of keys, made and read only by `journal/`; can be posted to a worker or sent to the peer. */
export type KeySet = Uint8Array

/** What may differ between the two trees. The follower and the server hold one each. */
export interface Journal {
  /**
   * Changes whenever what was touched before must be touched again (a new window, a new round). A node keeps the
   * stamp and a bit for each zone: while the stamp is the same, a key that was touched costs one test.
   */
  readonly stamp: number
  /** Existence, type, content and everything beneath this path may differ. `bytes`: how much content, where zones don't tell. */
  touchEntry(volume: number, path: BytePath, bytes?: number): void
  /** The content of this zone and the size and attributes of the file may differ. */
  touchZone(volume: number, path: BytePath, zone: number): void
  /** Only attributes (mode, owner, times, xattrs) may differ. */
  touchMeta(volume: number, path: BytePath): void
  /** Names in this directory may have come or gone; what is beneath them is as it was. */
  touchNames(volume: number, path: BytePath): void
  /** Was it changed in one of the gaps? Asked before its first change, which hides it: what was must become a key. */
  isForeign(volume: number, path: BytePath, changed: Changed): boolean
  /** Touches each of these keys, and hands them to the kernel. */
  touchAll(keys: KeySet): void
  /** Does any key that is held stand for this path or for what is above it? Asked before a name with other links goes away. */
  holds(volume: number, path: BytePath): boolean
  /** Hands what was touched to the kernel (one write, no fsync). Called before the change is made locally. */
  flush(): void

  /** Opens a new window, changes the stamp; returns its number. */
  openWindow(): number
  /** Both disks have everything that was touched in windows before `window`: drop it. */
  dropBefore(window: number): void

  /** All keys that are held (all windows). */
  snapshot(): KeySet
  /** From now on what is touched is also recorded in a fresh set (changes the stamp). */
  beginSet(): void
  /** The set recorded since beginSet or the last takeSet; the next one is begun (changes the stamp). */
  takeSet(): KeySet
  /** Stop recording the set (the copy is over or was given up). */
  endSet(): void
  /** Size of the set being recorded; `bytes` is an upper bound of what it stands for (zones × zone size). */
  setSize(): { readonly keys: number; readonly bytes: number }

  /** When nobody was in charge of the directories and no copy was finished since. Empty for a journal that is not trusted. */
  readonly gaps: readonly Gap[]
  /** From now on nobody else changes the directories (they are covered). */
  takeCharge(): void
  /** From now on anybody may. Before they are uncovered; the journal is closed after. */
  endCharge(): void

  /** What the peer must know of this journal to decide the scope. */
  readonly standing: Standing
  /** Persists (with fsync) that this tree can't be described by keys, before a comparison of everything or a full copy starts. */
  distrust(why: string): void
  /**
   * Persists (with fsync) that from now on the keys describe the difference to the peer that has the same `base`
   * (the id of the session that made both trees equal). Keys are kept until a window drops them.
   */
  trust(base: string): void
  /** After syncfs, when nothing is served or followed any more: marks the journal clean, closes the file. */
  closeClean(): void
}

/** What a journal can be used for. */
export interface Standing {
  /** False after a reboot without a clean close, for a new journal, and after `distrust`. */
  readonly trusted: boolean
  /** Why not, as a clause for the log: `the machine was restarted without a clean stop`. */
  readonly why: string | undefined
  /** The id of the session that made this tree equal to a peer's; undefined when there never was one. */
  readonly base: string | undefined
}

/** Keys of one direction each; undefined: frames go in clear. See link/records.ts. */
export interface ChannelKeys {
  readonly send: Uint8Array | undefined
  readonly receive: Uint8Array | undefined
}

export interface ResyncVolume {
  readonly index: number
  /** Descriptor of the root directory. The worker must not close it. */
  readonly root: number
  /** What is neither told nor touched. */
  readonly notReplicated?: readonly ExclusionRule[]
}

interface ResyncStart {
  /** Connected TCP socket, its handshake done. Belongs to the worker from now on: it closes it. */
  readonly socket: number
  readonly keys: ChannelKeys
  readonly volumes: readonly ResyncVolume[]
  readonly zoneBytes: number
  readonly standing: Standing
  /** `snapshot()` of this side's journal. */
  readonly journal: KeySet
  /** Of this side's journal: what was changed in them is looked for before keys are believed. */
  readonly gaps: readonly Gap[]
  /** A silent peer is lost after this time. */
  readonly timeoutMs: number
}

/**
 * Orders to a resync worker (one worker is started with the process; it does one copy at a time).
 * Source: `source`, then `round` after each `roundDone`, `share` at any time. Target: `target`, then `proceed` after `scoped`. `stop` ends either.
 */
export type ResyncOrder =
  | (ResyncStart & {
      readonly kind: 'source'
      readonly run: number
      readonly full: boolean
      /** Not more, except in the last round, for which the application waits. */
      readonly bytesPerSecond?: number | undefined
    })
  | (ResyncStart & {
      readonly kind: 'target'
      readonly run: number
      /** A directory where files are kept before they are overwritten. */
      readonly aside: string | undefined
    })
  | { readonly kind: 'round'; readonly run: number; readonly keys: KeySet; readonly last: boolean }
  /** Target, answer to `scoped`: the loop has persisted what it must (`distrust`), changes may begin. */
  | { readonly kind: 'proceed'; readonly run: number }
  /** Source: how much of its time it may work, 0 to 1; the last round takes all of it. */
  | { readonly kind: 'share'; readonly run: number; readonly share: number }
  | { readonly kind: 'stop'; readonly run: number }

/** `run` numbers the copy that an event belongs to: a late event of an earlier one is ignored. */
export type ResyncEvent =
  /** What was changed while nobody was in charge, before `scoped` on the target: it is to be journalled before anything is changed. */
  | {
      readonly kind: 'searched'
      readonly run: number
      readonly found: KeySet
      readonly count: number
      readonly ms: number
    }
  /** The scope is known (both sides tell it). The target changes nothing before the order `proceed`. */
  | {
      readonly kind: 'scoped'
      readonly run: number
      readonly scope: 'keys' | 'all' | 'full'
      readonly why: string
    }
  /** Source: the target has applied all of this round. Target: likewise, `last` = the trees are equal now. */
  | { readonly kind: 'roundDone'; readonly run: number; readonly last: boolean }
  /** Target: all that differed is kept in `aside`. */
  | {
      readonly kind: 'setAside'
      readonly run: number
      readonly files: number
      readonly bytes: number
    }
  | { readonly kind: 'progressed'; readonly run: number; readonly progress: ResyncProgress }
  /** The copy ended; both sides stay usable. `stop` is answered by this too. The socket is closed. */
  | { readonly kind: 'failed'; readonly run: number; readonly reason: string }

export interface ResyncProgress {
  readonly phase: 'comparing' | 'copying' | 'delta' | 'last'
  readonly filesDone: number
  readonly filesTotal: number
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Bytes of file content sent so far over all rounds. */
  readonly contentBytes: number
}

/**
 * What the loop sees of the worker. Messages travel over a MessagePort; the worker writes 1 to the eventfd `wake`
 * after each event, and the loop calls `take` until it returns undefined.
 */
export interface ResyncWorker {
  order(order: ResyncOrder): void
  take(): ResyncEvent | undefined
}

/** Exported by resync/worker.ts as `startResyncWorker`; called once, before the loop starts. */
export type StartResyncWorker = (wake: number) => ResyncWorker
