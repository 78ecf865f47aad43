/** The mirror's part of `userconfig.xml`, as the schema in plugin.json lets it through. */
import { type Delays, witness } from '@holdfast/sdk'
import type { MirrorConfig } from './decide/types.js'
import { checkTiming, type Times } from './timing.js'

export interface MirrorSettings {
  readonly service: {
    readonly failover: boolean
    readonly defaultprim: string
    /** Undefined: the operator did not choose, which only a witness allows. */
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

/** Without a witness nobody but the operator can say which of two evils is the smaller one. */
const unchosen: Finding = {
  path: '/service/mode',
  message:
    'say what a node does when the other one is silent and nobody can tell whether it is dead or only the cables are cut: there is no witness, and isolation is not written. ' +
    'isolation="alone": it goes on by itself. If only the cables were cut, both nodes run the application, and what one of them wrote meanwhile is given up. ' +
    'isolation="wait": it does not go on, also when the other one is really dead. There is no automatic failover then: the application waits until somebody looks and says "holdfast prim", or the other node is back. ' +
    'Write <service mode="mirror" isolation="alone"> or isolation="wait"; or add a witness (<witness>, <witness-etcd>), which lets exactly one of them go on',
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
    // Unwritten only where there is a witness: who asked for one does not want two nodes to serve because it is out of reach.
    isolation: service.isolation ?? 'wait',
    timeoutMs: heart.timeout,
    rightTimeoutMs: service.right_timeout,
    takeoverDelayMs: service.takeover_delay,
    syncdeltaMs: service.syncdelta,
  }
}

/** Rules between fields and the cluster, which no schema can know. Asked on every node before anything is applied. */
export function check(
  settings: MirrorSettings,
  context: {
    readonly nodes: readonly string[]
    readonly delays: Delays
    /** Ids of the extension points to which the plugins of the module contribute. */
    readonly contributed: readonly string[]
  },
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
  const { syncdelta, isolation } = settings.service
  if (syncdelta > 0 && isolation === 'wait') {
    const message =
      'isolation="wait" lets no isolated node serve, and syncdelta lets one: write only one of them'
    errors.push({ path: '/service/syncdelta', message })
  }
  const hasWitness = context.contributed.includes(witness.id)
  if (isolation === undefined && !hasWitness) errors.push(unchosen)
  const timing = checkTiming(timesOf(settings, hasWitness), context.delays)
  const findings = (level: 'error' | 'warning'): readonly Finding[] =>
    timing?.level === level ? [{ path: timing.path, message: timing.message }] : []
  return { errors: [...errors, ...findings('error')], warnings: findings('warning') }
}

function timesOf({ service, heart }: MirrorSettings, hasWitness: boolean): Times {
  return {
    hasWitness,
    isolation: service.isolation ?? 'wait',
    timeoutMs: heart.timeout,
    rightTimeoutMs: service.right_timeout,
    takeoverDelayMs: service.takeover_delay,
  }
}
