/** One simulated history from its seed: a pair is formed, things happen to it, everything is repaired, promises checked. */
import type { Coverage } from './reached.js'
import { heal, isWhole } from './healing.js'
import { linesOf, type Profile, profileOf, profiles, settingOf } from './profile.js'
import { Random } from './random.js'
import { perform } from './verbs.js'
import type { Mutation } from './mutants.js'
import { World } from './world.js'

export interface HistoryOptions {
  readonly seed: number
  /** Instead of the one that the seed chooses. */
  readonly profile?: Profile
  /** Instead of those that the seed gives. */
  readonly lines?: readonly string[]
  readonly coverage?: Coverage
  readonly traced?: boolean
  readonly mutation?: Mutation
}

export interface Outcome {
  readonly seed: number
  readonly profile: string
  readonly lines: readonly string[]
  readonly events: number
  readonly steps: number
  readonly acknowledged: number
  readonly declaredLosses: number
  /** How long two applications ran at the same time while the nodes were cut off. */
  readonly overlapMs: number
  readonly decisions: number
  readonly violation: string | undefined
  readonly unhealed: string | undefined
  /** With `traced`: everything that happened. */
  readonly trace: readonly string[]
}

export function runHistory(options: HistoryOptions): Outcome {
  const { seed } = options
  const profile = options.profile ?? profileOf(seed)
  // Its own source: lines that are left out must not change how those that stay were drawn.
  const random = new Random(seed ^ 0x5bd1e995)
  const setting = settingOf(profile, random)
  const lines = options.lines ?? linesOf(profile, random)
  const { coverage, traced = false } = options
  const world = new World({ seed, setting, coverage, traced, ...options.mutation })
  form(world)
  for (const line of lines) {
    if (world.promises.violation !== undefined) break
    world.note('', `> ${line}`)
    perform(world, line)
  }
  // Who allowed a split is asked whose data are kept.
  const mayAsk = profile.overrides || world.promises.isSplit
  const healed =
    world.promises.violation === undefined
      ? heal(world, mayAsk)
      : { failure: undefined, decisions: 0 }
  const { violation, overlapMs, declaredLosses, acknowledgedCount } = world.promises
  return {
    seed,
    profile: profile.name,
    lines,
    events: world.agenda.ran,
    steps: world.steps,
    acknowledged: acknowledgedCount,
    declaredLosses,
    overlapMs,
    decisions: healed.decisions,
    violation,
    unhealed: violation === undefined ? healed.failure : undefined,
    trace: world.trace?.lines ?? [],
  }
}

export function profileNamed(name: string): Profile | undefined {
  return profiles.find((profile) => profile.name === name)
}

/** Both nodes on, `a` the first primary, and time for `b` to become identical. */
export function form(world: World): void {
  for (const line of ['power on a', 'power on b', 'wait 1500ms', 'prim a', 'start b']) {
    perform(world, line)
  }
  world.runUntil(() => isWhole(world), 30_000)
}
