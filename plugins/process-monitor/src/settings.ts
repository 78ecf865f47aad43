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
  }
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
  return problems
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
