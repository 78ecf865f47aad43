/** `<errd>` as the schema in plugin.json lets it through, what follows from it, and what no schema can know. Pure. */
import {
  type CheckAction,
  type CheckEntry,
  type CheckerPhase,
  entryProblems,
  messageOf,
} from '@holdfast/sdk'

export interface ProcSettings {
  readonly name: string
  readonly service: boolean
  readonly nameregex?: string
  readonly argregex?: string
  readonly atleast: number
  readonly atmax: number
  readonly class: string
  readonly action: string
  readonly start_after: number
  readonly restart_services?: string
}

export interface ErrdConfig {
  readonly errd: {
    /** Seconds. */
    readonly polltimer: number
    readonly proc: readonly ProcSettings[]
  }
}

/** One `<proc>`, as the monitor uses it. */
export interface Watched extends CheckEntry {
  readonly service: boolean
  readonly name: RegExp | string
  readonly args: RegExp | undefined
  readonly atLeast: number
  readonly atMost: number
  readonly class: string
  /** The path, or the name in the module's bin, of a program that mends it. */
  readonly handler: string | undefined
  readonly firstPoll: number
  /** Of these units alone the scripts of its restart are told. Empty: of none in particular. */
  readonly restartServices: readonly string[]
}

const phases: ReadonlyMap<string, CheckerPhase> = new Map([
  ['pre', 'pre'],
  ['prim', 'prim'],
  ['second', 'second'],
  ['sec', 'second'],
  ['both', 'both'],
])
const actions: readonly CheckAction[] = ['restart', 'stopstart', 'stop', 'swap', 'wait', 'noaction']
/** What the kernel keeps of a name. */
const nameCharactersMax = 15

/** Classes that scripts switch: nothing of them is watched before `errd enable`. */
export function isOwnClass(name: string): boolean {
  return !phases.has(name)
}

/** Throws SyntaxError for an expression that is none; `problemsOf` finds it before. */
export function watchedOf(proc: ProcSettings): Watched {
  const action = actions.find((one) => one === proc.action)
  return {
    ident: proc.name,
    // In no phase but these does a script run that could enable it.
    when: phases.get(proc.class) ?? 'both',
    action: action ?? 'stopstart',
    service: proc.service,
    name:
      proc.nameregex === undefined
        ? proc.name.slice(0, nameCharactersMax)
        : new RegExp(proc.nameregex),
    args: proc.argregex === undefined ? undefined : new RegExp(proc.argregex),
    atLeast: proc.atleast,
    atMost: proc.atmax,
    class: proc.class,
    handler: action === undefined ? proc.action : undefined,
    firstPoll: Math.max(1, proc.start_after),
    restartServices: listOf(proc.restart_services),
  }
}

function listOf(text = ''): readonly string[] {
  return text.trim() === '' ? [] : text.split(',').map((name) => name.trim())
}

export interface Finding {
  readonly path: string
  readonly message: string
}

export function problemsOf(
  { errd }: ErrdConfig,
  facts: { readonly hasSystemd: boolean },
): readonly Finding[] {
  const own = errd.proc.flatMap((proc, index) =>
    procProblems(proc, facts).map(([attribute, message]) => ({
      path: `/errd/proc/${String(index)}/${attribute}`,
      message,
    })),
  )
  if (own.length > 0) return own
  return entryProblems('/errd/proc', errd.proc.map(watchedOf), 'name')
}

type Problem = readonly [attribute: string, message: string]

function procProblems(
  proc: ProcSettings,
  { hasSystemd }: { readonly hasSystemd: boolean },
): readonly Problem[] {
  const problems: Problem[] = []
  for (const attribute of ['nameregex', 'argregex'] as const) {
    const text = proc[attribute]
    if (text === undefined) continue
    if (proc.service) problems.push([attribute, 'a service has a name only; remove it'])
    const why = expressionProblem(text)
    if (why !== undefined) problems.push([attribute, why])
  }
  if (proc.service && !hasSystemd) {
    problems.push(['service', 'service="yes" needs systemd, which does not run on this node'])
  }
  if (proc.atmax > 0 && proc.atmax <= proc.atleast) {
    const message = `atmax ${String(proc.atmax)} is reached with the ${String(proc.atleast)} that atleast asks for; write more`
    problems.push(['atmax', message])
  }
  const unfit = restartServicesProblem(proc)
  return unfit === undefined ? problems : [...problems, ['restart_services', unfit]]
}

/** The letters that systemd allows; a minus at the beginning would be an option of the command that a script hands it to. */
const unitName = /^[A-Za-z0-9_.:@\\][A-Za-z0-9_.:@\\-]*$/

function restartServicesProblem(proc: ProcSettings): string | undefined {
  if (proc.restart_services === undefined) return undefined
  if (!proc.service) return 'restart_services goes with service="yes" only: it names units'
  if (proc.action !== 'restart') {
    return `restart_services goes with action="restart" only, not "${proc.action}": it is told to the scripts of a restart`
  }
  const names = listOf(proc.restart_services)
  if (names.length === 0) return 'it names no unit; write one or more with commas between'
  const wrong = names.find((name) => !unitName.test(name))
  if (wrong !== undefined) {
    return `"${wrong}" is no name of a unit; letters, digits and : _ . @ \\ - are allowed, not a - at the beginning, and commas between names`
  }
  const twice = names.find((name, index) => names.indexOf(name) < index)
  return twice === undefined ? undefined : `${twice} is written twice`
}

function expressionProblem(text: string): string | undefined {
  try {
    new RegExp(text)
    return undefined
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    return messageOf(thrown)
  }
}
