/**
 * ocf: resource agents start and stop the application, `<ocf ident="web" agent="heartbeat:nginx"/>`, and their monitor
 * watches it; or an agent only watches, `<check><ocf …/></check>`.
 */
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  type Exec,
  exec,
  HoldfastError,
  log,
  looking,
  program,
  ruleOf,
} from '@holdfast/sdk'
import { type AgentSettings, environmentOf, pathOf, seenOf } from './agent.js'
import { advisedTimes, parameterProblems, parametersOf } from './metadata.js'

/** Times in seconds. */
interface WatchEntry extends CheckEntry, AgentSettings {
  readonly ident: string
  readonly interval: number
  readonly timeout: number
  readonly retries: number
}

interface ProgramEntry extends AgentSettings {
  readonly class: 'prim' | 'second' | 'both'
  readonly action?: NonNullable<CheckEntry['action']>
  readonly retries: number
  /** What is not written comes from the agent's meta-data. */
  readonly starttimeout?: number
  readonly stoptimeout?: number
  readonly interval?: number
  readonly timeout?: number
}

interface OcfConfig {
  readonly ocf?: readonly ProgramEntry[]
  readonly check?: { readonly ocf: readonly WatchEntry[] }
}

const needs = { clock, exec, log }
const metaDataTimeoutMs = 3_000
/** For an agent that advises nothing. */
const usual = { startMs: 300_000, stopMs: 300_000, monitorMs: 20_000, everyMs: 10_000 }

export const plugin = definePlugin<typeof needs, OcfConfig>({
  needs,
  async activate({ clock, exec, log }, { ocf = [], check }, scope) {
    const programs = await Promise.all(
      ocf.map(async (entry) => {
        const told = await metaDataOf(exec, entry)
        // Configured when it did. An application that runs must be stopped also without it.
        if ('problem' in told) {
          const text = `${told.problem}; usual time-outs are taken for ocf.${entry.ident}`
          log.write('warning', 'agentSilent', { text })
        }
        return withTimes(entry, 'metaData' in told ? told.metaData : '')
      }),
    )
    for (const [order, { entry, watch, startMs, stopMs }] of programs.entries()) {
      const call = (action: string, timeoutMs: number) => ({
        args: [action],
        timeoutMs,
        environment: environmentOf(entry, { timeoutMs }),
      })
      scope.contribute(program, `ocf_${entry.ident}`, {
        name: `ocf_${entry.ident}`,
        suite: entry.class,
        order,
        path: pathOf(entry.agent),
        start: call('start', startMs),
        stop: call('stop', stopMs),
      })
      scope.contribute(checker, `ocf.${entry.ident}`, checkerOf(watch))
    }
    for (const entry of check?.ocf ?? []) {
      scope.contribute(checker, `ocf.${entry.ident}`, checkerOf(entry))
    }

    function checkerOf(entry: WatchEntry) {
      const timeoutMs = entry.timeout * 1_000
      const everyMs = entry.interval * 1_000
      const env = environmentOf(entry, { timeoutMs, everyMs })
      const times = { everyMs, timeoutMs, downAfter: entry.retries + 1 }
      return {
        when: entry.when,
        rule: ruleOf('o', entry, 'restart'),
        ...looking(clock, times, async (signal) => {
          const options = { timeoutMs, env, signal }
          return seenOf(await exec.run(pathOf(entry.agent), ['monitor'], options))
        }),
      }
    }
  },
})

/** What is written goes before what the agent advises, and that before what is usual. */
function withTimes(entry: ProgramEntry, metaData: string) {
  const advised = advisedTimes(metaData, entry.level)
  const { starttimeout, stoptimeout, interval, timeout, ...rest } = entry
  const watch: WatchEntry = {
    ...rest,
    when: entry.class,
    interval: interval ?? (advised.everyMs ?? usual.everyMs) / 1_000,
    timeout: timeout ?? (advised.monitorMs ?? usual.monitorMs) / 1_000,
  }
  return {
    entry,
    watch,
    startMs: starttimeout === undefined ? (advised.startMs ?? usual.startMs) : starttimeout * 1_000,
    stopMs: stoptimeout === undefined ? (advised.stopMs ?? usual.stopMs) : stoptimeout * 1_000,
  }
}

/** Asks each agent on this node for its meta-data: what it does not know is a slip of the pen. */
export async function check({ ocf = [], check }: OcfConfig, { exec }: { readonly exec: Exec }) {
  const watches = check?.ocf ?? []
  const programs = ocf.map((entry) => ({ ...entry, when: entry.class }))
  const placed = [
    ...ocf.map((entry, index) => ({ entry, path: `/ocf/${String(index)}` })),
    ...watches.map((entry, index) => ({ entry, path: `/check/ocf/${String(index)}` })),
  ]
  const own = await Promise.all(
    placed.map(async ({ entry, path }) => {
      const told = await metaDataOf(exec, entry)
      const problems =
        'problem' in told
          ? [`${told.problem}; install resource-agents, or correct the agent's name`]
          : parameterProblems(entry.param, parametersOf(told.metaData))
      return problems.map((message) => ({ path, message }))
    }),
  )
  const twice = watches.flatMap(({ ident }, index) =>
    ocf.some((one) => one.ident === ident)
      ? [
          {
            path: `/check/ocf/${String(index)}/ident`,
            message: `<ocf ident="${ident}"> is watched already by its own monitor; remove this, or choose another ident`,
          },
        ]
      : [],
  )
  return {
    errors: [
      ...entryProblems('/ocf', programs),
      ...entryProblems('/check/ocf', watches),
      ...twice,
      ...own.flat(),
    ],
  }
}

async function metaDataOf(
  exec: Exec,
  entry: AgentSettings,
): Promise<{ readonly metaData: string } | { readonly problem: string }> {
  const timeoutMs = metaDataTimeoutMs
  const options = { timeoutMs, env: environmentOf(entry, { timeoutMs }) }
  try {
    const { code, stdout } = await exec.run(pathOf(entry.agent), ['meta-data'], options)
    if (code === 0) return { metaData: stdout }
    return { problem: `${pathOf(entry.agent)} does not tell its meta-data` }
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return { problem: thrown.message }
  }
}
