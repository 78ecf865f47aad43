/**
 * Times in which no data plane was in charge of the directories, so that others could change them: an editor, a restored backup.
 * What was changed in one is told by its ctime, which no program can set. Pure.
 */

/** What the clocks of the machine say at one moment. */
export interface Moment {
  /** Time of day. */
  readonly atMs: number
  /** Time of day at which the machine was started, as the clock of today counts back: it moves when that clock is set. */
  readonly bootedMs: number
}

export interface Gap {
  readonly fromMs: number
  /** Undefined: nobody is in charge yet. `endless`: the clock went back, and what is later tells nothing. */
  readonly toMs: number | 'endless' | undefined
  /** The data plane died: up to its last key, what its keys tell of may be its own change. */
  readonly crashed: boolean
}

/** The end of the charge before, as far as it is known. */
export interface Left {
  /** When the charge was given up in order; else when the journal was written for the last time. */
  readonly untilMs: number
  readonly crashed: boolean
  readonly isSameBoot: boolean
  readonly bootedMs: number | undefined
}

/** When a file was changed, as its inode says. */
export interface Changed {
  readonly seconds: number
  readonly nanos: number
}

/** The clock that stamps inodes is read once a tick. */
const TICK_MS = 10
/** The time since the start is told in hundredths of a second: less is no step of the clock. */
const STEP_MS_MIN = 50
/** More are told as fewer and longer ones: they are kept in the header of the journal. */
const GAPS_MAX = 3

/** The gap that ends when the journal is opened. A clock that went back makes it longer, never shorter. */
export function gapAtOpen({ untilMs, crashed, isSameBoot, bootedMs }: Left, now: Moment): Gap {
  const movedMs = isSameBoot ? (bootedMs ?? now.bootedMs) - now.bootedMs : 0
  const setBackMs = movedMs >= STEP_MS_MIN ? movedMs : 0
  // A machine is started after it was stopped; a clock that denies it was behind by an unknown time.
  const earliestMs = isSameBoot ? now.atMs : now.bootedMs
  const wentBack = setBackMs > 0 || earliestMs < untilMs
  const fromMs = Math.min(untilMs - setBackMs, earliestMs) - TICK_MS
  return { fromMs, toMs: wentBack ? 'endless' : undefined, crashed }
}

/** Adds a gap to those that no copy has closed yet. */
export function withGap(gaps: readonly Gap[], gap: Gap): readonly Gap[] {
  const all = [...gaps, gap]
  if (all.length <= GAPS_MAX) return all
  const [first = gap, second = gap, ...rest] = all
  return [merged(first, second), ...rest]
}

function merged(one: Gap, other: Gap): Gap {
  const isBounded = typeof one.toMs === 'number' && typeof other.toMs === 'number'
  return {
    fromMs: Math.min(one.fromMs, other.fromMs),
    toMs: isBounded ? Math.max(one.toMs, other.toMs) : 'endless',
    crashed: one.crashed && other.crashed,
  }
}

/** Somebody is in charge from this moment on. */
export function closedGaps(gaps: readonly Gap[], atMs: number): readonly Gap[] {
  return gaps.map((gap) => (gap.toMs === undefined ? { ...gap, toMs: atMs + TICK_MS } : gap))
}

/** Was it changed in one of the gaps? `isTold`: a key tells of a change of it. */
export function isForeign(
  gaps: readonly Gap[],
  { seconds, nanos }: Changed,
  isTold: () => boolean,
): boolean {
  const earliestMs = seconds * 1_000 + Math.floor(nanos / 1_000_000)
  // Some file systems keep whole seconds only.
  const latestMs = nanos === 0 ? earliestMs + 999 : earliestMs
  return gaps.some(({ fromMs, toMs, crashed }) => {
    const isWithin = latestMs >= fromMs && (typeof toMs !== 'number' || earliestMs <= toMs)
    return isWithin && !(crashed && isTold())
  })
}

/** One name of a tree, and whether its directory was changed in a gap. */
export interface Looked {
  readonly isDirectory: boolean
  readonly isParentForeign: boolean
}

/**
 * The key of what was changed in a gap. A directory has the time of a change when a name in it came or went; only when its parent
 * has one too, it may be another directory than before (moved, or in the place of one), and all beneath it is compared.
 */
export function foreignKey({ isDirectory, isParentForeign }: Looked): 'entry' | 'names' {
  return isDirectory && !isParentForeign ? 'names' : 'entry'
}
