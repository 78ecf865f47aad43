/** Does a machine answer? `<check><ping ident="gateway"><to addr="192.168.0.1"/></ping></check>` */
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
  return { errors: [...errors, ...option, ...(await missingCommand(context.exec))] }
}

async function missingCommand(exec: Exec) {
  const found = (why: string) => [
    { path: '/check/ping', message: `"ping" does not work here (${why}): install iputils-ping` },
  ]
  try {
    const { code, stderr } = await exec.run('ping', ['-V'], { timeoutMs: 2_000 })
    return code === 0 ? [] : found(stderr.trim().slice(0, 200))
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return found(thrown.message)
  }
}

/** One packet is lost now and then: of three one must come back. */
async function look(exec: Exec, { addr, timeout }: To, signal: AbortSignal): Promise<Seen> {
  const times = ['-c', '3', '-i', '0.2', '-w', String(timeout)]
  const options = { timeoutMs: timeout * 1_000 + 1_000, signal }
  const { code, stdout, stderr } = await exec.run('ping', ['-n', '-q', ...times, addr], options)
  if (code === 0 || / [1-9]\d* received/.test(stdout)) {
    return { value: 'up', cause: `${addr} answers` }
  }
  // 1: no answer. Anything else: it could not ask.
  if (code === 1) return { value: 'down', cause: `${addr} does not answer` }
  const why = stderr.trim().slice(0, 200)
  const isRefused = /unreachable|not known|resolution/i.test(why)
  return { value: isRefused ? 'down' : 'unknown', cause: `ping ${addr}: ${why}` }
}
