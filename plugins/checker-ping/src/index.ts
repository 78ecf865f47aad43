/** Does a machine answer? `<check><ping ident="gateway"><to addr="192.168.0.1"/></ping></check>` */
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  type Exec,
  exec,
  looking,
  ping,
  pingProblem,
  ruleOf,
  type Seen,
} from '@holdfast/sdk'

interface To {
  readonly addr: string
  /** Seconds, as the next. */
  readonly interval: number
  readonly timeout: number
  readonly retries: number
}

interface PingEntry extends CheckEntry {
  readonly to: To
}

interface PingConfig {
  readonly check: { readonly ping: readonly PingEntry[] }
}

const needs = { clock, exec }

export const plugin = definePlugin<typeof needs, PingConfig>({
  needs,
  activate({ clock, exec }, { check }, scope) {
    for (const entry of check.ping) {
      const { interval, timeout, retries } = entry.to
      // `ping` ends by itself within the time-out; the second more is for its own start.
      const times = {
        everyMs: interval * 1_000,
        timeoutMs: timeout * 1_000 + 1_000,
        downAfter: retries + 1,
      }
      scope.contribute(checker, `ping.${entry.ident}`, {
        when: entry.when,
        rule: ruleOf('p', entry, 'restart'),
        ...looking(clock, times, (signal) => look(exec, entry.to, signal)),
      })
    }
  },
})

export async function check({ check }: PingConfig, context: { readonly exec: Exec }) {
  const errors = entryProblems('/check/ping', check.ping)
  const option = check.ping.flatMap(({ to }, index) => {
    const message = `"${to.addr}" is neither an address nor a name`
    return to.addr.startsWith('-')
      ? [{ path: `/check/ping/${String(index)}/to/addr`, message }]
      : []
  })
  const problem = await pingProblem(context.exec)
  const missing = problem === undefined ? [] : [{ path: '/check/ping', message: problem }]
  return { errors: [...errors, ...option, ...missing] }
}

async function look(exec: Exec, { addr, timeout }: To, signal: AbortSignal): Promise<Seen> {
  const answer = await ping(exec, addr, { packets: 3, withinSeconds: timeout, signal })
  if (answer === 'answers') return { value: 'up', cause: `${addr} answers` }
  if (answer === 'silent') return { value: 'down', cause: `${addr} does not answer` }
  const { failed } = answer
  const isRefused = /unreachable|not known|resolution/i.test(failed)
  return { value: isRefused ? 'down' : 'unknown', cause: `ping ${addr}: ${failed}` }
}
