/** Resource agents as the OCF describes them: where one is, what it is told, and what its exit codes mean. Pure. */
import type { RunResult, Seen } from '@holdfast/sdk'

export interface AgentSettings {
  readonly ident: string
  /** `heartbeat:nginx`, or a path. */
  readonly agent: string
  readonly param: readonly { readonly name: string; readonly value: string }[]
  readonly level: number
}

const root = '/usr/lib/ocf'

export function pathOf(agent: string): string {
  if (agent.startsWith('/')) return agent
  return `${root}/resource.d/${agent.replace(':', '/')}`
}

/** What an agent is told for one call. Some measure their own waiting by the time that it may take. */
export function environmentOf(
  settings: AgentSettings,
  times: { readonly timeoutMs: number; readonly everyMs?: number },
): Readonly<Record<string, string>> {
  const { agent, ident, param, level } = settings
  const [provider = '', type = ''] = pathOf(agent).split('/').slice(-2)
  return {
    ...Object.fromEntries(param.map(({ name, value }) => [`OCF_RESKEY_${name}`, value])),
    OCF_ROOT: root,
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '0',
    OCF_RESOURCE_INSTANCE: ident,
    OCF_RESOURCE_PROVIDER: provider,
    OCF_RESOURCE_TYPE: type,
    OCF_CHECK_LEVEL: String(level),
    OCF_RESKEY_CRM_meta_timeout: String(times.timeoutMs),
    // Without one it is asked once: agents take 0 for a look before the first start.
    ...(times.everyMs === undefined ? {} : { OCF_RESKEY_CRM_meta_interval: String(times.everyMs) }),
  }
}

const meanings: ReadonlyMap<number, readonly [Seen['value'], string]> = new Map([
  [0, ['up', 'it runs']],
  [1, ['down', 'it failed']],
  // Wrong parameters, missing programs or rights say nothing about the application.
  [2, ['unknown', 'a parameter is wrong']],
  [3, ['unknown', 'the agent has no monitor action']],
  [4, ['unknown', 'the agent has too few rights']],
  [5, ['unknown', 'a program that the agent needs is missing']],
  [6, ['unknown', 'a parameter is missing or wrong']],
  [7, ['down', 'it does not run']],
  [8, ['up', 'it runs as promoted']],
  [9, ['down', 'it failed as promoted']],
])

export function seenOf({ code, signal, timedOut, stderr }: RunResult): Seen {
  if (code === undefined) {
    const how = timedOut ? 'took too long' : `was ended by ${signal ?? 'a signal'}`
    return { value: 'down', cause: `the agent ${how}` }
  }
  const [value, meaning] = meanings.get(code) ?? ['down', 'an exit code that the OCF does not know']
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
  return { value, cause: `${meaning} (${String(code)})${last === '' ? '' : `: ${last}`}` }
}
