/**
 * Which scripts run in which order for a transition. Each role has a set of suites; a transition stops what the next
 * role does not have and starts what the present one did not have. Suites: `both` runs wherever the module is active,
 * `prim` with the application, `second` beside the other's application, `sec` on SECOND, on ALONE and on UP. Programs of
 * other plugins belong to a suite, too: they start after its script and stop before it.
 */
import type { Program, Role, Transition } from '@holdfast/sdk'

export type Suite = Program['suite']
export type ScriptName = `start_${Suite}` | `stop_${Suite}` | 'prestart' | 'poststop' | 'transition'

/** `must`: when it fails, the transition fails. `may`: its failure is logged. */
export type Step =
  | {
      readonly kind: 'start'
      readonly suite: Suite
      readonly script: ScriptName
      readonly args: Args
    }
  | {
      readonly kind: 'stop'
      readonly suite: Suite
      readonly script: ScriptName
      readonly args: Args
      /** Called without, then with `force` as first argument; or only with it. */
      readonly nice: boolean
    }
  | ProgramStep<'startProgram'>
  | ProgramStep<'stopProgram'>
  | {
      readonly kind: 'hook'
      readonly failure: 'must' | 'may'
      readonly script: ScriptName
      readonly args: Args
    }

interface ProgramStep<Kind> {
  readonly kind: Kind
  readonly program: Program
  /** Its name. */
  readonly script: string
  readonly args: Args
}

/** Of a script: present state, next state, action; at some restarts more. */
export type Args = readonly string[]

const startOrder: readonly Suite[] = ['both', 'prim', 'second', 'sec']
const stopOrder: readonly Suite[] = ['sec', 'prim', 'second', 'both']

export const scriptNames: readonly ScriptName[] = [
  ...startOrder.map((suite) => `start_${suite}` as const),
  ...startOrder.map((suite) => `stop_${suite}` as const),
  'prestart',
  'poststop',
  'transition',
]

export function suitesOf(role: Role): readonly Suite[] {
  switch (role) {
    case 'stop':
    case 'wait':
      return []
    case 'alone':
    case 'up':
      return ['both', 'prim', 'sec']
    case 'prim':
      return ['both', 'prim']
    case 'second':
      return ['both', 'second', 'sec']
  }
}

/** What runs in a role: suites by their name, programs by theirs. */
export function partsOf(role: Role, programs: readonly Program[]): readonly string[] {
  return suitesOf(role).flatMap((suite) => [
    suite,
    ...inSuite(suite, programs).map(({ name }) => name),
  ])
}

/** Before address and data of the present role go away, and before those of a first role come. */
export function leavePlan(
  transition: Transition,
  programs: readonly Program[] = [],
): readonly Step[] {
  return hops(transition).flatMap((hop): readonly Step[] => {
    if (hop.from === 'stop') {
      // A script prestart calls the stop scripts; nobody but us could call these.
      const left = stopOrder.flatMap((suite) => stopPrograms(suite, programs))
      return [hook('transition', hop, 'may'), ...left, hook('prestart', hop, 'must')]
    }
    if (hop.to === 'stop') return stops(stopOrder, hop, programs, false)
    const gone = without(suitesOf(hop.from), suitesOf(hop.to))
    return stops(gone, hop, programs, true)
  })
}

/** After address and data of the next role are there. `started`: parts that run already after a call that was cut. */
export function enterPlan(
  transition: Transition,
  started: readonly string[],
  programs: readonly Program[] = [],
): readonly Step[] {
  return hops(transition).flatMap((hop): readonly Step[] => {
    if (hop.from === 'stop') return []
    if (hop.to === 'stop') return [hook('poststop', hop, 'may'), hook('transition', hop, 'may')]
    const missing = without(suitesOf(hop.to), suitesOf(hop.from))
    const steps = starts(missing, hop, programs).filter((step) => !started.includes(partOf(step)))
    return [hook('transition', hop, 'may'), ...steps]
  })
}

/** Stop and start the application in its place: role, address and data stay. `more`: said to each script besides. */
export function restartPlan(
  transition: Transition,
  programs: readonly Program[] = [],
  more: Args = [],
): readonly Step[] {
  const suites = suitesOf(transition.from)
  const hop = { ...transition, more }
  return [...stops(suites, hop, programs, true), ...starts(suites, hop, programs)]
}

/**
 * The rest of a plan for a daemon that found `left` running: from that script on, because what comes before it in the
 * plan was done. Undefined: `left` belongs to another plan.
 */
export function resumedPlan(
  steps: readonly Step[],
  left: { readonly script: string; readonly args: Args },
): readonly Step[] | undefined {
  const isForced = left.args[0] === 'force'
  const wanted = (isForced ? left.args.slice(1) : left.args).join(' ')
  const at = steps.findIndex(
    (step) =>
      step.script === left.script &&
      step.args.join(' ') === wanted &&
      (step.kind === 'stop' ? isForced || step.nice : !isForced),
  )
  const [step, ...rest] = steps.slice(Math.max(at, 0))
  if (at < 0 || step === undefined) return undefined
  return [isForced && step.kind === 'stop' ? { ...step, nice: false } : step, ...rest]
}

type Hop = Pick<Transition, 'from' | 'to' | 'action'> & { readonly more?: Args }

/** Scripts know no way between STOP and an active state but through WAIT. */
function hops({ from, to, action }: Transition): readonly Hop[] {
  if (from === to) return []
  const direct = from === 'wait' || to === 'wait' || (from !== 'stop' && to !== 'stop')
  return direct
    ? [{ from, to, action }]
    : [
        { from, to: 'wait', action },
        { from: 'wait', to, action },
      ]
}

type StartStep = Extract<Step, { kind: 'start' | 'startProgram' }>

/** What a start step starts, by its name. */
export function partOf(step: StartStep): string {
  return step.kind === 'start' ? step.suite : step.program.name
}

function starts(
  suites: readonly Suite[],
  hop: Hop,
  programs: readonly Program[],
): readonly StartStep[] {
  return startOrder
    .filter((suite) => suites.includes(suite))
    .flatMap((suite): readonly StartStep[] => [
      { kind: 'start', suite, script: `start_${suite}`, args: argsOf(hop) },
      ...inSuite(suite, programs).map((program): StartStep => {
        const { name: script, start } = program
        return { kind: 'startProgram', program, script, args: start.args }
      }),
    ])
}

function stops(
  suites: readonly Suite[],
  hop: Hop,
  programs: readonly Program[],
  nice: boolean,
): readonly Step[] {
  return stopOrder
    .filter((suite) => suites.includes(suite))
    .flatMap((suite): readonly Step[] => [
      ...stopPrograms(suite, programs),
      { kind: 'stop', suite, script: `stop_${suite}`, args: argsOf(hop), nice },
    ])
}

function stopPrograms(suite: Suite, programs: readonly Program[]): readonly Step[] {
  return inSuite(suite, programs)
    .toReversed()
    .map((program) => {
      const { name: script, stop } = program
      return { kind: 'stopProgram', program, script, args: stop.args }
    })
}

function inSuite(suite: Suite, programs: readonly Program[]): readonly Program[] {
  return programs.filter((one) => one.suite === suite).toSorted((a, b) => a.order - b.order)
}

function hook(script: ScriptName, hop: Hop, failure: 'must' | 'may'): Step {
  return { kind: 'hook', failure, script, args: argsOf(hop) }
}

function argsOf({ from, to, action, more = [] }: Hop): Args {
  return [from.toUpperCase(), to.toUpperCase(), action, ...more]
}

function without<T>(all: readonly T[], some: readonly T[]): readonly T[] {
  return all.filter((one) => !some.includes(one))
}
