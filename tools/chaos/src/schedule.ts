/** Which faults happen when: a pure function of the seed and the round's number, so that any round can be played again alone. */
import { type KindName, kindOf, silencePrimary } from './kinds.js'
import type { Times } from './times.js'

export interface Fault {
  readonly kind: KindName
  /** From the start of the round. */
  readonly afterMs: number
  /** From the fault to its healing. */
  readonly holdMs: number
  /** From 0 to 1, for what else is left to chance: percentages, directions, distances. */
  readonly dice: number
}

/** Faults that happen to a pair that is whole, together or one after the other; then everything is healed. */
export interface Round {
  readonly number: number
  readonly faults: readonly Fault[]
}

/** Rounds of a seed are the same only when these are. */
export interface Conditions {
  readonly kinds: readonly KindName[]
  readonly times: Times
}

/** One fault in most rounds; with more, the later ones hit a pair that is just helping itself. */
const shareOfTwo = 0.35
const shareOfThree = 0.15
/** To be stretched, as all times of the table of kinds. */
const gapMsMax = 2_500

export function roundOf(seed: number, number: number, { kinds, times }: Conditions): Round {
  const random = randomFrom(seed, number)
  for (;;) {
    const faults = faultsOf(random, kinds)
    // Nothing but a watchdog ends a primary that is silent while its application runs.
    const isPossible =
      times.watchdogSeconds !== undefined || !silencePrimary(faults.map(({ kind }) => kind))
    if (isPossible) return { number, faults: stretched(faults, times.stretch) }
  }
}

function stretched(faults: readonly Fault[], factor: number): readonly Fault[] {
  return faults.map((fault) => ({
    ...fault,
    afterMs: Math.round(fault.afterMs * factor),
    holdMs: Math.round(fault.holdMs * factor),
  }))
}

function faultsOf(random: () => number, among: readonly KindName[]): readonly Fault[] {
  const draw = random()
  const count = draw < shareOfThree ? 3 : draw < shareOfThree + shareOfTwo ? 2 : 1
  const faults: Fault[] = []
  let afterMs = 0
  for (let index = 0; index < count; index++) {
    const kind = drawn(random(), among)
    const [least, most] = kindOf(kind).holdMs
    const holdMs = Math.round(least + random() * (most - least))
    faults.push({ kind, afterMs, holdMs, dice: random() })
    // Squared: mostly soon after, when the answer to the first one is under way.
    afterMs += Math.round(random() ** 2 * gapMsMax)
  }
  return faults
}

function drawn(dice: number, among: readonly KindName[]): KindName {
  const total = among.reduce((sum, name) => sum + kindOf(name).weight, 0)
  let left = dice * total
  for (const name of among) {
    left -= kindOf(name).weight
    if (left < 0) return name
  }
  const last = among.at(-1)
  if (last === undefined) throw new RangeError('a schedule needs at least one kind of fault')
  return last
}

/** Numbers from 0 to below 1: splitmix32, started from both numbers. */
function randomFrom(seed: number, number: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 2 ** 32
  }
}
