/** How the value of a resource changes, and whether it can be relied upon at once. */
import type { ResourceValue } from '@holdfast/sdk'
import type { Event, Report, Resource, State } from './types.js'

export const historyMax = 50
export const resourcesMax = 512
/** More than `steadyChangesMax` changes in this time: the resource flaps, and rules wait longer for it. */
export const steadyWindowMs = 60_000
export const steadyChangesMax = 2
const changesKept = 16
/** What the module says of its data. */
export const uptodateName = 'rfs.uptodate'
export const degradedName = 'rfs.degraded'

type Times = Pick<Event, 'nowMs' | 'wallMs'>

export function changed(before: Resource | undefined, report: Report, at: Times): Resource {
  const { name, value, cause, by } = report
  const isSame = before?.value === value
  if (before !== undefined && isSame) return { ...before, cause, by }
  // What begins or ends being watched is no sign of flapping.
  const counts = before !== undefined && before.value !== 'init' && value !== 'init'
  const recent = (before?.changesMs ?? []).filter((one) => one > at.nowMs - steadyWindowMs)
  return {
    name,
    value,
    cause,
    by,
    sinceWallMs: at.wallMs,
    changesMs: (counts ? [...recent, at.nowMs] : recent).slice(-changesKept),
    wasUp: value === 'init' ? false : value === 'up' || (before?.wasUp ?? false),
    history: [...(before?.history ?? []), { value, atMs: at.wallMs, cause }].slice(-historyMax),
  }
}

export function flaps(resource: Resource, nowMs: number): boolean {
  const recent = resource.changesMs.filter((one) => one > nowMs - steadyWindowMs)
  return recent.length > steadyChangesMax
}

/** A module that takes another role says why its data is another: a start or a swap is no flapping. */
export function inNewRole(local: State['local']): State['local'] {
  const anew = [uptodateName, degradedName].flatMap((name) => {
    const resource = local.get(name)
    return resource === undefined ? [] : [[name, { ...resource, changesMs: [] }] as const]
  })
  return anew.length === 0 ? local : new Map([...local, ...anew])
}

/** `remote.tcp.web` or `tcp.web`. */
export function find(state: Pick<State, 'local' | 'remote'>, name: string): Resource | undefined {
  return name.startsWith('remote.')
    ? state.remote?.get(name.slice('remote.'.length))
    : state.local.get(name)
}

export function toldBy(
  before: ReadonlyMap<string, Resource> | undefined,
  values: ReadonlyMap<string, ResourceValue>,
  at: Times,
): ReadonlyMap<string, Resource> {
  const told = [...values].slice(0, resourcesMax).map(([name, value]): [string, Resource] => {
    const report = { name, value, cause: 'told by the other node', by: 'other node' }
    return [name, changed(before?.get(name), report, at)]
  })
  return new Map(told)
}
