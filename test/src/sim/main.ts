/** `npm run sim`: sweeps of many histories, one history again by its seed, and scenario files. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { HoldfastError } from '@holdfast/sdk'
import { hasFailed, type Ran, type SimMachine } from './machine.js'
import { machineNamed, machines } from './machines.js'
import { Coverage } from './reached.js'
import { commit, failureOf, reportOf } from './report.js'
import { readText, runScenarioFile } from './scenario.js'
import { shrink } from './shrink.js'
import { sweepInParallel, type Tally } from './sweep.js'
import { reasonFor, reasonsOf } from './unreached.js'

const usage = `npm run sim -- [options]
  --machine NAME    ${machines.map(({ name }) => name).join(', ')} (default: all; for one history: mirror)
  --seeds N         sweep N histories in all (default: the standard of each machine)
  --from N          first seed (default 1)
  --profile NAME    one kind of histories (default: by seed)
  --jobs N          worker processes (default: one a core)
  --resume FILE     keep the progress there (one file a machine: FILE.NAME), and go on with it
  --json            the last line is JSON
  --seed N          one history again, with everything that happened
  --lines FILE      what happens, instead of what the seed gives (default: --seed 1)
  --shrink          with --seed: leave out what it does not need to fail
  --mutant NAME     with --seed: with a known-bad variant
  --scenario FILE   run a scenario file;  --update rewrites its expected lines
  --no-mutants      don't look whether the known-bad variants are caught
${machines.map(aboutMachine).join('\n')}`

function aboutMachine({ name, standardHistories, profiles, mutants }: SimMachine): string {
  return `${name}: ${standardHistories} histories by default
  profiles: ${profiles.join(', ')}
  known-bad variants: ${mutants.map((mutant) => mutant.name).join(', ')}`
}

const values = parseArgs({
  options: {
    machine: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    profile: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    resume: { type: 'string' },
    json: { type: 'boolean', default: false },
    seed: { type: 'string' },
    lines: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    scenario: { type: 'string' },
    update: { type: 'boolean', default: false },
    'no-mutants': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
}).values

/** Of ten histories of a sweep over all machines, so many are the mirror's: where a mistake costs most. */
const mirrorShare = 7

interface Swept {
  readonly machine: SimMachine
  readonly tally: Tally
  readonly perSecond: number
  readonly unreached: readonly string[]
  readonly caught: number
  readonly kept: number
}

function refusal(what: string, allowed: string): HoldfastError {
  return new HoldfastError('E_SIM_USAGE', `${what}: ${allowed}`, { hint: 'see --help' })
}

function numberOf(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw refusal(`--${name} ${text}`, 'expected a whole number')
}

/** Throws E_SIM_USAGE when it is given and not one of those. */
function assertKnown(option: 'profile' | 'mutant', known: readonly string[]): void {
  const value = values[option]
  if (value === undefined || known.includes(value)) return
  throw refusal(`--${option} ${value}`, `known are ${known.join(', ')}`)
}

/** One kind of histories belongs to one machine; without any word, all machines are swept. */
function chosen(): readonly SimMachine[] {
  if (values.machine !== undefined) return [machineNamed(values.machine)]
  return values.profile === undefined ? machines : [machineNamed('mirror')]
}

async function one(seed: number): Promise<number> {
  const machine = machineNamed(values.machine ?? 'mirror')
  const { profile, mutant } = values
  assertKnown('profile', machine.profiles)
  assertKnown(
    'mutant',
    machine.mutants.map(({ name }) => name),
  )
  const own = values.lines === undefined ? undefined : linesIn(values.lines)
  const lines = own?.map(({ line }) => line)
  let ran: Ran
  try {
    ran = await machine.run({ seed, profile, mutant, lines })
  } catch (thrown) {
    throw located(thrown, values.lines ?? '', own ?? [])
  }
  if (values.shrink && hasFailed(ran)) ran = await shrink(machine, ran, { mutant, profile })
  const again = { seed, profile, mutant, lines: ran.lines, traced: true }
  const { trace } = await machine.run(again)
  for (const line of trace) console.log(line)
  console.log(`${machine.name} seed ${seed}, ${ran.profile}, commit ${commit()}: ${failureOf(ran)}`)
  if (values.shrink) console.log(['its lines:', ...ran.lines].join('\n  '))
  return hasFailed(ran) ? 1 : 0
}

interface Numbered {
  readonly number: number
  readonly line: string
}

function linesIn(file: string): readonly Numbered[] {
  const text = readText(file, 'a file with one line for each thing that happens')
  return text
    .split('\n')
    .map((line, index) => ({ number: index + 1, line: line.trim() }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
}

/** A line that nobody understands is named with its place in the file. */
function located(thrown: unknown, file: string, lines: readonly Numbered[]): unknown {
  if (!(thrown instanceof HoldfastError) || thrown.code !== 'E_SIM_LINE') return thrown
  const said = /"([^"]+)"/.exec(thrown.message)?.[1] ?? ''
  const number = lines.find(({ line }) => line.includes(said))?.number
  if (number === undefined) return thrown
  const hint = thrown.hint ?? ''
  return new HoldfastError(thrown.code, `${file} line ${number}: ${thrown.message}`, { hint })
}

async function many(): Promise<number> {
  const swept: Swept[] = []
  const startedMs = performance.now()
  for (const machine of chosen()) swept.push(await sweepOne(machine, countOf(machine)))
  const sum = (of: (one: Swept) => number): number =>
    swept.reduce((total, each) => total + of(each), 0)
  const violations = sum(({ tally }) => tally.violations)
  const unhealed = sum(({ tally }) => tally.unhealed)
  const kept = sum((each) => each.kept)
  const caught = sum((each) => each.caught)
  const isOne = swept.length === 1
  if (values.json) {
    const histories = sum(({ tally }) => tally.histories)
    const seconds = (performance.now() - startedMs) / 1_000
    const perSecond = isOne ? (swept[0]?.perSecond ?? 0) : Math.round(histories / seconds)
    const unreached = swept.flatMap((each) =>
      each.unreached.map((key) => (isOne ? key : `${each.machine.name}: ${key}`)),
    )
    const mutants = { kept, caught }
    console.log(JSON.stringify({ histories, violations, unhealed, perSecond, unreached, mutants }))
  }
  return violations + unhealed === 0 && caught === kept ? 0 : 1
}

function countOf(machine: SimMachine): number {
  if (values.seeds === undefined) return machine.standardHistories
  const all = numberOf('seeds', values.seeds)
  const others = machines.length - 1
  if (chosen().length === 1) return all
  const ofOthers = Math.floor((all * (10 - mirrorShare)) / 10 / others)
  return machine.name === 'mirror' ? all - others * ofOthers : ofOthers
}

async function sweepOne(machine: SimMachine, count: number): Promise<Swept> {
  assertKnown('profile', machine.profiles)
  const startedMs = performance.now()
  let shownMs = startedMs
  let resumed = 0
  const tally = await sweepInParallel({
    machine,
    from: numberOf('from', values.from),
    count,
    profile: values.profile,
    jobs: numberOf('jobs', values.jobs),
    resume: values.resume === undefined ? undefined : `${values.resume}.${machine.name}`,
    commit: commit(),
    onResume: (so) => {
      resumed = so.histories
    },
    onProgress: (so) => {
      if (performance.now() - shownMs < 5_000) return
      shownMs = performance.now()
      const { histories, violations, unhealed } = so
      console.log(
        `${machine.name}: ${histories} histories, ${violations} violations, ${unhealed} unhealed`,
      )
    },
  })
  const seconds = (performance.now() - startedMs) / 1_000
  const perSecond = Math.round((tally.histories - resumed) / seconds)
  const coverage = new Coverage()
  coverage.add(tally.coverage)
  const unreached = coverage.unreached(machine.transitions)
  await report(machine, tally, perSecond, unreached)
  const kept = values['no-mutants'] ? [] : machine.mutants
  const caught = await caughtOf(machine, kept)
  console.log(`${machine.name}: ${caught} of ${kept.length} known-bad variants caught`)
  return { machine, tally, perSecond, unreached, caught, kept: kept.length }
}

async function caughtOf(machine: SimMachine, mutants: SimMachine['mutants']): Promise<number> {
  let caught = 0
  for (const { name, mistake } of mutants) {
    if (await isCaught(machine, name)) caught += 1
    else console.log(`${machine.name}: NOT CAUGHT: one that ${mistake} (${name})`)
  }
  return caught
}

async function isCaught(machine: SimMachine, mutant: string): Promise<boolean> {
  for (let seed = 1; seed <= machine.standardHistories; seed += 1) {
    if (hasFailed(await machine.run({ seed, mutant }))) return true
  }
  return false
}

async function report(
  machine: SimMachine,
  tally: Tally,
  perSecond: number,
  unreached: readonly string[],
): Promise<void> {
  const { histories, events, violations, unhealed, failing } = tally
  const { profile } = values
  for (const seed of failing.slice(0, 3)) {
    const short = await shrink(machine, await machine.run({ seed, profile }), { profile })
    console.log(await reportOf(machine, short))
  }
  const each = Math.round(events / Math.max(1, histories))
  const { name, transitions } = machine
  console.log(`${name}: ${histories} histories of ${each} events, ${perSecond} a second`)
  console.log(`${name}: ${violations} violations, ${unhealed} unhealed`)
  for (const [what, number] of Object.entries(tally.counted)) {
    console.log(`${name}: ${number} ${what}`)
  }
  for (const [what, number] of Object.entries(tally.longest)) {
    console.log(`${name}: longest ${what}: ${number}`)
  }
  console.log(`${name}: ${unreached.length} of ${transitions.length} transitions not reached`)
  const reasons = reasonsOf(name)
  for (const key of unreached) {
    console.log(`  ${key} (${reasonFor(reasons, key)?.why ?? 'nobody knows why'})`)
  }
  if (failing.length > 0) console.log(`${name}: failing seeds: ${failing.join(' ')}`)
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage)
    return 0
  }
  if (values.scenario !== undefined) {
    if (values.machine !== undefined && values.machine !== 'mirror') {
      throw refusal(`--machine ${values.machine} --scenario`, 'scenarios are of the mirror')
    }
    const result = runScenarioFile(values.scenario, values.update)
    console.log(result.trace.join('\n'))
    for (const difference of result.differences) console.log(difference)
    return result.differences.length === 0 || values.update ? 0 : 1
  }
  const isOne = values.seed !== undefined || values.lines !== undefined
  return isOne ? one(numberOf('seed', values.seed ?? '1')) : many()
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error
  console.error(`${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`)
  process.exitCode = 2
}
