/** Has this node an address, and nobody else? `<check><ip ident="service"><to addr="10.0.0.9"/></ip></check>`, and vip's. */
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  exec,
  looking,
  type Seen,
  watchedAddress,
} from '@holdfast/sdk'
import { isIP } from 'node:net'
import { Kernel } from './kernel.js'

interface To {
  readonly addr: string
  /** Seconds. */
  readonly interval: number
  readonly retries: number
  readonly duplicate: boolean
}

interface IpEntry extends CheckEntry {
  readonly to: To
}

interface IpConfig {
  readonly check?: { readonly ip: readonly IpEntry[] }
}

const needs = { clock, exec, wanted: watchedAddress }
const lookTimeoutMs = 5_000
/** vip puts back within 5 s what somebody removed; only what stays away is a failure. */
const retries = 1

interface Watched extends IpEntry {
  readonly tolerated: () => readonly string[]
}

export const plugin = definePlugin<typeof needs, IpConfig>({
  needs,
  activate({ wanted, ...parts }, { check }, scope) {
    const kernel = new Kernel(parts)
    const entries = new Map<string, Watched>(
      wanted.map(({ address, duplicate, tolerated }) => {
        const to = { addr: address, interval: 10, retries, duplicate }
        return [address, { ident: address, when: 'prim', to, tolerated }]
      }),
    )
    // What the operator wrote under the same name is meant to take its place.
    for (const entry of check?.ip ?? []) {
      entries.set(entry.ident, { ...entry, tolerated: () => [] })
    }
    for (const { ident, when, to, tolerated } of entries.values()) {
      const times = { everyMs: to.interval * 1_000, timeoutMs: lookTimeoutMs }
      scope.contribute(checker, `ip.${ident}`, {
        when,
        rule: undefined, // That of the class: ip_failure.
        ...looking(parts.clock, { ...times, downAfter: to.retries + 1 }, (signal) =>
          look(kernel, to, tolerated, signal),
        ),
      })
    }
  },
})

export function check({ check }: IpConfig) {
  const entries = check?.ip ?? []
  const own = entries.flatMap(({ to }, index) => {
    const message = `"${to.addr}" is not an IP address`
    return isIP(to.addr) > 0 ? [] : [{ path: `/check/ip/${String(index)}/to/addr`, message }]
  })
  return { errors: [...entryProblems('/check/ip', entries), ...own] }
}

async function look(
  kernel: Kernel,
  to: To,
  tolerated: () => readonly string[],
  signal: AbortSignal,
): Promise<Seen> {
  const held = await kernel.held(to.addr, signal)
  if (held === undefined) return { value: 'down', cause: `this node does not have ${to.addr}` }
  if (held.refused) return { value: 'down', cause: `somebody else has ${to.addr} already` }
  const cause = `${to.addr} is on ${held.interfaceName}`
  if (!to.duplicate) return { value: 'up', cause }
  const { macs, unasked } = await kernel.strangers(to.addr, held, signal)
  const [stranger] = macs.filter((mac) => !tolerated().includes(mac))
  if (stranger === undefined) {
    const limit = unasked === undefined ? '' : `; nobody asks for a duplicate: ${unasked}`
    return { value: 'up', cause: `${cause}${limit}` }
  }
  return { value: 'down', cause: `${stranger} answers for ${to.addr}, too` }
}
