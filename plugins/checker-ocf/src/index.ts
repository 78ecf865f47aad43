/** A resource agent's monitor as a checker: `<check><ocf ident="web" agent="heartbeat:nginx"/></check>` */
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  type Exec,
  exec,
  HoldfastError,
  looking,
  ruleOf,
} from '@holdfast/sdk'
import {
  type AgentSettings,
  environmentOf,
  parameterProblems,
  parametersOf,
  pathOf,
  seenOf,
} from './agent.js'

interface OcfEntry extends CheckEntry, AgentSettings {
  readonly ident: string
  /** Seconds, as the next. */
  readonly interval: number
  readonly timeout: number
  readonly retries: number
}

interface OcfConfig {
  readonly check: { readonly ocf: readonly OcfEntry[] }
}

const needs = { clock, exec }
const metaDataTimeoutMs = 3_000

export const plugin = definePlugin<typeof needs, OcfConfig>({
  needs,
  activate({ clock, exec }, { check }, scope) {
    for (const entry of check.ocf) {
      const timeoutMs = entry.timeout * 1_000
      const times = { everyMs: entry.interval * 1_000, timeoutMs, downAfter: entry.retries + 1 }
      const env = environmentOf(entry)
      scope.contribute(checker, `ocf.${entry.ident}`, {
        when: entry.when,
        rule: ruleOf('o', entry, 'restart'),
        ...looking(clock, times, async (signal) => {
          const options = { timeoutMs, env, signal }
          return seenOf(await exec.run(pathOf(entry.agent), ['monitor'], options))
        }),
      })
    }
  },
})

/** Asks each agent on this node for its meta-data: what it does not know is a slip of the pen. */
export async function check({ check }: OcfConfig, { exec }: { readonly exec: Exec }) {
  const own = await Promise.all(
    check.ocf.map(async (entry, index) => {
      const path = `/check/ocf/${String(index)}`
      const problems = await agentProblems(exec, entry)
      return problems.map((message) => ({ path, message }))
    }),
  )
  return { errors: [...entryProblems('/check/ocf', check.ocf), ...own.flat()] }
}

async function agentProblems(exec: Exec, entry: OcfEntry): Promise<readonly string[]> {
  const options = { timeoutMs: metaDataTimeoutMs, env: environmentOf(entry) }
  try {
    const { code, stdout } = await exec.run(pathOf(entry.agent), ['meta-data'], options)
    if (code === 0) return parameterProblems(entry, parametersOf(stdout))
    return [`${pathOf(entry.agent)} does not tell its meta-data`]
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return [`${thrown.message}; install resource-agents, or correct the agent's name`]
  }
}
