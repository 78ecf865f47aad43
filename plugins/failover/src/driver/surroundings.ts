/** What this module and its LANs look like, as resources for the rules: `rfs.uptodate`, `heartbeat.<lan>`, `cluster.peer`. */
import type { ModuleState, Peers, ResourceValue } from '@holdfast/sdk'
import { degradedName, uptodateName } from '../decide/resource.js'
import type { Report } from '../decide/types.js'

export function moduleReports(state: ModuleState): readonly Report[] {
  const { detail, role } = state
  if (detail === undefined) return []
  const isDegraded = detail.startsWith('degraded')
  const isStopped = state.role === 'STOP'
  const report = (name: string, isUp: boolean): Report => {
    const value = isStopped ? 'init' : isUp ? 'up' : 'down'
    // What the topology does at the moment says nothing about the data.
    const cause = isStopped ? 'the module is stopped' : `the data is ${detail}, as ${role}`
    return { name, value, cause, by: 'module' }
  }
  return [
    // Whoever holds writes back has all of them.
    report(uptodateName, isDegraded || detail === 'uptodate'),
    report(degradedName, isDegraded),
  ]
}

/** With several other nodes: one that is heard is enough. */
export function heartbeatReports(peers: Pick<Peers, 'others' | 'state'>): readonly Report[] {
  const states = peers.others.map((node) => peers.state(node))
  const names = [...new Set(states.flatMap(({ lans }) => lans.map(({ lan }) => lan)))].sort()
  const heartbeats = names.map((name): Report => {
    const lans = states.flatMap(({ lans: all }) => all.filter(({ lan }) => lan === name))
    const isUp = lans.some(({ up }) => up)
    const wasHeard = lans.some(({ heardMsAgo }) => heardMsAgo !== undefined)
    const value: ResourceValue = isUp ? 'up' : wasHeard ? 'down' : 'init'
    const cause = isUp ? 'heard' : wasHeard ? 'no heartbeat any more' : 'never heard'
    return { name: `heartbeat.${name}`, value, cause, by: 'module' }
  })
  if (states.length === 0) return []
  const isConnected = states.some(({ connected }) => connected)
  const cause = isConnected ? 'the stream of messages is open' : 'there is no stream of messages'
  const value = isConnected ? 'up' : 'down'
  return [...heartbeats, { name: 'cluster.peer', value, cause, by: 'module' }]
}
