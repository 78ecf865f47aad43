/** The mirror's histories as the sweep sees them. */
import { transitions } from './coverage.js'
import { profileNamed, runHistory } from './history.js'
import type { Ran, RunOptions, SimMachine } from './machine.js'
import { mutants } from './mutants.js'
import { profiles, standardHistories } from './profile.js'

export const mirrorMachine: SimMachine = {
  name: 'mirror',
  standardHistories,
  profiles: profiles.map(({ name }) => name),
  transitions,
  mutants,
  run,
}

function run({ seed, profile, lines, coverage, traced, mutant }: RunOptions): Ran {
  const chosen = profile === undefined ? undefined : profileNamed(profile)
  const mutation = mutants.find(({ name }) => name === mutant)?.mutation
  const outcome = runHistory({
    seed,
    ...(chosen === undefined ? {} : { profile: chosen }),
    ...(lines === undefined ? {} : { lines }),
    ...(coverage === undefined ? {} : { coverage }),
    ...(traced === undefined ? {} : { traced }),
    ...(mutation === undefined ? {} : { mutation }),
  })
  const { events, violation, unhealed, trace } = outcome
  const { acknowledged, decisions, overlapMs } = outcome
  return {
    seed,
    profile: outcome.profile,
    lines: outcome.lines,
    events,
    violation,
    unhealed,
    counted: { 'acknowledged writes': acknowledged, 'decisions of an operator': decisions },
    longest: { 'overlap of applications of nodes that were cut off, in ms': overlapMs },
    trace,
  }
}
