/** The mirror's part of `userconfig.xml`, as the schema in plugin.json lets it through. */
import type { MirrorConfig } from './decide/types.js'

export interface MirrorSettings {
  readonly service: {
    readonly failover: boolean
    readonly defaultprim: string
    readonly isolation: 'alone' | 'wait'
    readonly maxloop: number
    readonly loop_interval: number
  }
  readonly heart: {
    readonly timeout: number
    readonly heartbeat: readonly { readonly name: string; readonly ident?: string }[]
  }
}

interface Finding {
  readonly path: string
  readonly message: string
}

const hourMs = 3_600_000

export function machineConfig(
  settings: MirrorSettings,
  facts: { self: string; peer: string; hasWitness: boolean; hasReplica: boolean },
): MirrorConfig {
  const { service, heart } = settings
  return {
    ...facts,
    defaultprim: service.defaultprim,
    failover: service.failover,
    maxloop: service.maxloop,
    loopIntervalMs: service.loop_interval * hourMs,
    isolation: service.isolation,
    timeoutMs: heart.timeout,
  }
}

/** Rules between fields and the cluster, which no schema can know. Asked on every node before anything is applied. */
export function check(
  settings: MirrorSettings,
  context: { readonly nodes: readonly string[] },
): { errors: readonly Finding[]; warnings: readonly Finding[] } {
  const errors: Finding[] = []
  const { defaultprim } = settings.service
  if (context.nodes.length !== 2) {
    const names = context.nodes.join(', ')
    const message = `a mirror runs on exactly two nodes, not on ${String(context.nodes.length)} (${names}): name two with --nodes`
    errors.push({ path: '/service/mode', message })
  }
  const preferences = ['alone', 'lastprim', ...context.nodes]
  if (!preferences.includes(defaultprim)) {
    const message = `"${defaultprim}" is no node of this module; allowed: ${preferences.join(', ')}`
    errors.push({ path: '/service/defaultprim', message })
  }
  settings.heart.heartbeat.forEach(({ ident }, index) => {
    if (ident !== 'flow') return
    const message = 'write <flow name="…"/> in <rfs> to choose the LAN of the replication'
    errors.push({ path: `/heart/heartbeat/${String(index)}/ident`, message })
  })
  return { errors, warnings: [] }
}
