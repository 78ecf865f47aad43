/** The mirror's part of `userconfig.xml`, as the schema in plugin.json lets it through. */
import type { Delays } from '@holdfast/sdk'
import type { MirrorConfig } from './decide/types.js'
import { checkTiming, jitterMs } from './timing.js'

export interface MirrorSettings {
  readonly service: {
    readonly failover: boolean
    readonly defaultprim: string
    /** Undefined: the operator did not choose, and is told what follows. */
    readonly isolation?: 'alone' | 'wait'
    readonly maxloop: number
    readonly loop_interval: number
    readonly right_timeout: number
    readonly takeover_delay: number
    readonly syncdelta: number
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

/** Which of the two holds depends on other plugins' elements, which this check does not see. */
const unchosen: Finding = {
  path: '/service/mode',
  message:
    'isolation is not written. Without a witness it is "alone": when all cables between the nodes are cut, both run the application, and what one of them wrote meanwhile is given up. With a witness (<witness>, <witness-etcd>, <witness-ping>) it is "wait": a node that does not reach it does not go on. Write isolation="alone" or isolation="wait" to choose',
}

export function machineConfig(
  settings: MirrorSettings,
  facts: { self: string; peer: string; hasWitness: boolean },
): MirrorConfig {
  const { service, heart } = settings
  return {
    ...facts,
    defaultprim: service.defaultprim,
    failover: service.failover,
    maxloop: service.maxloop,
    loopIntervalMs: service.loop_interval * hourMs,
    // Who asked for a witness does not want two nodes to serve because it could not be reached.
    isolation: service.isolation ?? (facts.hasWitness ? 'wait' : 'alone'),
    timeoutMs: heart.timeout,
    rightTimeoutMs: service.right_timeout,
    takeoverDelayMs: service.takeover_delay,
    syncdeltaMs: service.syncdelta,
  }
}

/** Rules between fields and the cluster, which no schema can know. Asked on every node before anything is applied. */
export function check(
  settings: MirrorSettings,
  context: { readonly nodes: readonly string[]; readonly delays: Delays },
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
  const { right_timeout, takeover_delay, syncdelta, isolation } = settings.service
  if (takeover_delay < right_timeout + jitterMs) {
    const message = `a node takes over ${String(takeover_delay)} ms after it noticed the silence, but a primary without the right stops only after right_timeout="${String(right_timeout)}ms" and up to ${String(jitterMs)} ms later than that: write at least ${String(right_timeout + jitterMs)} ms, and the time that your application needs to stop on top`
    errors.push({ path: '/service/takeover_delay', message })
  }
  if (syncdelta > 0 && isolation === 'wait') {
    const message =
      'isolation="wait" lets no isolated node serve, and syncdelta lets one: write only one of them'
    errors.push({ path: '/service/syncdelta', message })
  }
  const warnings = settings.service.isolation === undefined ? [unchosen] : []
  const timing = checkTiming(settings.heart.timeout, context.delays)
  const found = { path: '/heart/timeout', message: timing?.message ?? '' }
  if (timing?.level === 'error') errors.push(found)
  if (timing?.level === 'warning') warnings.push(found)
  return { errors, warnings }
}
