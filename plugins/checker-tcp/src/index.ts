/** Does a server accept connections? `<check><tcp ident="web"><to addr="127.0.0.1" port="80"/></tcp></check>` */
import { connect } from 'node:net'
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  looking,
  ruleOf,
} from '@holdfast/sdk'

interface TcpEntry extends CheckEntry {
  readonly to: {
    readonly addr: string
    readonly port: number
    /** Seconds, as the next. */
    readonly interval: number
    readonly timeout: number
    readonly retries: number
  }
}

interface TcpConfig {
  readonly check: { readonly tcp: readonly TcpEntry[] }
}

const needs = { clock }

export const plugin = definePlugin<typeof needs, TcpConfig>({
  needs,
  activate({ clock }, { check }, scope) {
    for (const entry of check.tcp) {
      const { addr, port, interval, timeout, retries } = entry.to
      const times = {
        everyMs: interval * 1_000,
        timeoutMs: timeout * 1_000,
        downAfter: retries + 1,
      }
      scope.contribute(checker, `tcp.${entry.ident}`, {
        when: entry.when,
        rule: ruleOf('t', entry, 'restart'),
        ...looking(clock, times, (signal) => accepts(addr, port, signal)),
      })
    }
  },
})

export function check({ check }: TcpConfig): { readonly errors: ReturnType<typeof entryProblems> } {
  return { errors: entryProblems('/check/tcp', check.tcp) }
}

/** Connects and closes; what the server says is neither read nor kept, so that one that never stops talking does no harm. */
function accepts(host: string, port: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve(`${host} accepts connections on port ${String(port)}`)
    })
    // Stays on: an aborted socket may tell its error after it was given up.
    socket.on('error', (error) => {
      reject(new Error(`${host} port ${String(port)}: ${error.message}`))
    })
  })
}
