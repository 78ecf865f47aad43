/** What the simulated data planes take from the product, and what a known-bad variant does instead. */
import {
  decideScope,
  fateOf,
  mayGoLive,
  modeAfter,
  mustDistrust,
  opMeans,
} from '@holdfast/plugin-rfs/decisions'

export interface Rules {
  readonly fateOf: typeof fateOf
  readonly modeAfter: typeof modeAfter
  readonly mayGoLive: typeof mayGoLive
  readonly opMeans: typeof opMeans
  readonly mustDistrust: typeof mustDistrust
  readonly decideScope: typeof decideScope
  /** A change is in the journal before it is in the tree. */
  readonly journalsFirst: boolean
  /** An op is answered when the follower has applied it. */
  readonly waitsForFollower: boolean
  /** What was changed during a copy is copied after it. */
  readonly copiesDelta: boolean
  /** Both journals say what is copied. */
  readonly unitesKeys: boolean
  /** A journal knows that the machine was started again. */
  readonly knowsBoot: boolean
  /** A window is over when both disks have it. */
  readonly waitsForBothDisks: boolean
  /** An fsync waits for both disks. */
  readonly syncsBoth: boolean
  /** A copy is on the disk of the follower before it counts. */
  readonly syncsCopy: boolean
  /** Trees are synced before a journal is called clean. */
  readonly syncsBeforeClean: boolean
  /** What was changed while a node was stopped is looked for. */
  readonly searches: boolean
  /** It is looked for before the first change of an inode as well: that hides it. */
  readonly searchesFirst: boolean
  /** It is noticed when the clock was set back. */
  readonly knowsClock: boolean
  /** A follower is current when the server depends on it, not when its copy is done. */
  readonly currentWhenLive: boolean
}

export const productRules: Rules = {
  ...{ fateOf, modeAfter, mayGoLive, opMeans, mustDistrust, decideScope },
  ...{ journalsFirst: true, waitsForFollower: true, copiesDelta: true, unitesKeys: true },
  ...{ knowsBoot: true, waitsForBothDisks: true, syncsBoth: true, syncsBeforeClean: true },
  ...{ currentWhenLive: true, syncsCopy: true, knowsClock: true },
  ...{ searches: true, searchesFirst: true },
}
