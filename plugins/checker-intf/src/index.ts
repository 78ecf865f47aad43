/** Has a network interface a carrier? `<check><intf ident="lan"><to name="eth0"/></intf></check>`, and what vip wants watched. */
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  exec,
  log,
  watchedInterface,
} from '@holdfast/sdk'
import { isIP } from 'node:net'
import type { Target } from './judge.js'
import { Links } from './links.js'

interface IntfEntry extends CheckEntry {
  readonly to: { readonly local_addr?: string; readonly name?: string }
}

interface IntfConfig {
  readonly check?: { readonly intf: readonly IntfEntry[] }
}

interface Finding {
  readonly path: string
  readonly message: string
}

const needs = { clock, exec, log, wanted: watchedInterface }

export const plugin = definePlugin<typeof needs, IntfConfig>({
  needs,
  activate({ wanted, ...parts }, { check }, scope) {
    const links = new Links(parts)
    const targets = new Map<string, Target>(wanted.map((one) => [one.ident, one]))
    // What the operator wrote under the same name is meant to take its place.
    for (const { ident, to } of check?.intf ?? []) {
      targets.set(ident, { name: to.name, address: to.local_addr })
    }
    for (const [ident, target] of targets) {
      // Its rule is that of the class: interface_failure.
      const watch = { when: 'pre' as const, rule: undefined, ...links.checker(ident, target) }
      scope.contribute(checker, `intf.${ident}`, watch)
    }
  },
})

export function check({ check }: IntfConfig): { readonly errors: readonly Finding[] } {
  const entries = check?.intf ?? []
  const own = entries.flatMap(({ to }, index): Finding[] => {
    const path = `/check/intf/${String(index)}/to`
    if ((to.name === undefined) === (to.local_addr === undefined)) {
      return [{ path, message: 'write local_addr or name, one of them' }]
    }
    if (to.local_addr === undefined || isIP(to.local_addr) > 0) return []
    return [{ path: `${path}/local_addr`, message: `"${to.local_addr}" is not an IP address` }]
  })
  return { errors: [...entryProblems('/check/intf', entries), ...own] }
}
