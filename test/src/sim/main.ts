/** `npm run sim`: sweeps of many histories, one history again by its seed, and scenario files. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { HoldfastError } from '@holdfast/sdk'
import { Coverage } from './coverage.js'
import { hasFailed, type HistoryOptions, profileNamed, runHistory } from './history.js'
import { type Mutant, mutants } from './mutants.js'
import { profiles, standardHistories } from './profile.js'
import { commit, failureOf, reportOf } from './report.js'
import { runScenarioFile } from './scenario.js'
import { shrink } from './shrink.js'
import { sweepInParallel, type Tally } from './sweep.js'

const usage = `npm run sim -- [options]
  --seeds N         sweep N histories (default ${standardHistories})
  --from N          first seed (default 1)
  --profile NAME    ${profiles.map(({ name }) => name).join(', ')} (default: by seed)
  --jobs N          worker processes (default: one a core)
  --resume FILE     keep the progress there, and go on with it
  --json            the last line is JSON
  --seed N          one history again, with everything that happened
  --shrink          with --seed: leave out what it does not need to fail
  --mutant NAME     with --seed: with a known-bad machine (${mutants.map(({ name }) => name).join(', ')})
  --scenario FILE   run a scenario file;  --update rewrites its expected lines
  --no-mutants      don't look whether the known-bad machines are caught`

const values = parseArgs({
  options: {
    seeds: { type: 'string', default: String(standardHistories) },
    from: { type: 'string', default: '1' },
    profile: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    resume: { type: 'string' },
    json: { type: 'boolean', default: false },
    seed: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    scenario: { type: 'string' },
    update: { type: 'boolean', default: false },
    'no-mutants': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
}).values

function refusal(what: string, allowed: string): HoldfastError {
  return new HoldfastError('E_SIM_USAGE', `${what}: ${allowed}`, { hint: 'see --help' })
}

function numberOf(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw refusal(`--${name} ${text}`, 'expected a whole number')
}

function one(seed: number): number {
  const mutant = mutants.find(({ name }) => name === values.mutant)
  if (values.mutant !== undefined && mutant === undefined) {
    throw refusal(
      `--mutant ${values.mutant}`,
      `known are ${mutants.map(({ name }) => name).join(', ')}`,
    )
  }
  const options = { seed, ...chosenProfile(), ...mutationOf(mutant) }
  let outcome = runHistory(options)
  if (values.shrink && hasFailed(outcome)) outcome = shrink(outcome, mutant?.mutation)
  const { trace } = runHistory({ ...options, lines: outcome.lines, traced: true })
  for (const line of trace) console.log(line)
  console.log(`seed ${seed}, ${outcome.profile}, commit ${commit()}: ${failureOf(outcome)}`)
  if (values.shrink) console.log(['its lines:', ...outcome.lines].join('\n  '))
  return hasFailed(outcome) ? 1 : 0
}

function chosenProfile(): Pick<HistoryOptions, 'profile'> {
  if (values.profile === undefined) return {}
  const profile = profileNamed(values.profile)
  if (profile !== undefined) return { profile }
  const known = profiles.map(({ name }) => name).join(', ')
  throw refusal(`--profile ${values.profile}`, `known are ${known}`)
}

function mutationOf(mutant: Mutant | undefined): Pick<HistoryOptions, 'mutation'> {
  return mutant === undefined ? {} : { mutation: mutant.mutation }
}

async function many(): Promise<number> {
  chosenProfile()
  const startedMs = performance.now()
  let shownMs = startedMs
  let resumed = 0
  const tally = await sweepInParallel({
    from: numberOf('from', values.from),
    count: numberOf('seeds', values.seeds),
    profile: values.profile,
    jobs: numberOf('jobs', values.jobs),
    resume: values.resume,
    commit: commit(),
    onResume: (so) => {
      resumed = so.histories
    },
    onProgress: (so) => {
      if (performance.now() - shownMs < 5_000) return
      shownMs = performance.now()
      console.log(`${so.histories} histories, ${so.violations} violations, ${so.unhealed} unhealed`)
    },
  })
  const perSecond = Math.round(
    (tally.histories - resumed) / ((performance.now() - startedMs) / 1_000),
  )
  const coverage = new Coverage()
  coverage.add(tally.coverage)
  const unreached = coverage.unreached()
  report(tally, perSecond, unreached)
  const caught = values['no-mutants'] ? [] : mutants.filter(isCaught)
  const kept = values['no-mutants'] ? 0 : mutants.length
  console.log(`known-bad machines: ${caught.length} of ${kept} caught`)
  const { histories, violations, unhealed } = tally
  if (values.json) {
    const counted = { kept, caught: caught.length }
    console.log(
      JSON.stringify({ histories, violations, unhealed, perSecond, unreached, mutants: counted }),
    )
  }
  return violations + unhealed === 0 && caught.length === kept ? 0 : 1
}

function isCaught({ mutation }: Mutant): boolean {
  for (let seed = 1; seed <= standardHistories; seed += 1) {
    if (hasFailed(runHistory({ seed, mutation }))) return true
  }
  return false
}

function report(tally: Tally, perSecond: number, unreached: readonly string[]): void {
  const { histories, events, acknowledged, violations, unhealed } = tally
  for (const seed of tally.failing.slice(0, 3)) {
    console.log(reportOf(shrink(runHistory({ seed, ...chosenProfile() }))))
  }
  const each = Math.round(events / Math.max(1, histories))
  console.log(`${histories} histories of ${each} events, ${perSecond} a second`)
  console.log(`${acknowledged} acknowledged writes, ${violations} violations, ${unhealed} unhealed`)
  console.log(`an operator had to decide ${tally.decisions} times`)
  console.log(
    `two applications of nodes that were cut off overlapped for ${tally.overlapMs} ms at most`,
  )
  console.log(`${unreached.length} transitions were not reached:`)
  for (const key of unreached) console.log(`  ${key}`)
  if (tally.failing.length > 0) console.log(`failing seeds: ${tally.failing.join(' ')}`)
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage)
    return 0
  }
  if (values.scenario !== undefined) {
    const result = runScenarioFile(values.scenario, values.update)
    console.log(result.trace.join('\n'))
    for (const difference of result.differences) console.log(difference)
    return result.differences.length === 0 || values.update ? 0 : 1
  }
  return values.seed === undefined ? many() : one(numberOf('seed', values.seed))
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error
  console.error(`${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`)
  process.exitCode = 2
}
