/**
 * Pure: the next step of a rollout, from what the nodes are now. It never touches a node while another one is on its
 * way, never stops the node that serves before another one took over, and takes no step twice: what a finished step
 * brought about and did not last is a reason to halt. So it may be cut off anywhere and asked again.
 */
import type { Rollout, Standing, Step } from './types.js'

export type Decision =
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'halt'; readonly reason: string }
  | { readonly kind: 'done' }

const serving: readonly string[] = ['PRIM', 'ALONE', 'UP']

/** Is what is to come of a step there? */
export function isReached({ what, nodes }: Step, standings: readonly Standing[]): boolean {
  return standings
    .filter(({ node }) => nodes.includes(node))
    .every((standing) => {
      switch (what) {
        case 'stop':
          // Transient: it still waits until the other one took over.
          return standing.isReached && isStopped(standing) && standing.sub !== 'Transient'
        case 'apply':
          return standing.isReached && standing.hasTarget
        case 'start':
          return standing.isReached && !isStopped(standing)
        case 'swap':
          // Anything earlier is in the middle of the hand-over.
          return standing.isReached && isSettled(standing) && !isServing(standing)
      }
    })
}

/** Why what is to come of a step that was ordered will not come; undefined: it may. */
export function lostBy(
  { started }: Rollout,
  { what, nodes }: Step,
  standings: readonly Standing[],
): string | undefined {
  // A swap is lost with the node that was to take over, a start with the node itself.
  const isConcerned = ({ node }: Standing): boolean =>
    started.includes(node) &&
    ((what === 'start' && nodes.includes(node)) || (what === 'swap' && !nodes.includes(node)))
  const fallen = standings.find(
    (one) => isConcerned(one) && one.isReached && isStopped(one) && one.sub !== 'Transient',
  )
  return fallen && `${what}: ${said(fallen)}`
}

/** Does nobody serve where somebody did before? A node that is not reached may. */
export function isOrphaned(rollout: Rollout, standings: readonly Standing[]): boolean {
  const isEverySeen = standings.every((one) => one.isReached)
  return rollout.lead !== undefined && isEverySeen && !standings.some(isServing)
}

/** The same nodes, back to the configuration from before. */
export function turnedBack(rollout: Rollout, reason: string): Rollout | undefined {
  const { previous, returning } = rollout
  if (previous === undefined || returning !== undefined) return undefined
  const nothing = { taken: [], doing: undefined, abandoned: undefined, end: undefined }
  return { ...rollout, ...nothing, way: 'rolling', order: previous, returning: reason }
}

/** For a rollout with nothing under way. */
export function decide(rollout: Rollout, standings: readonly Standing[]): Decision {
  const away = standings.find((standing) => !standing.isReached)
  if (away !== undefined) return { kind: 'wait', reason: `node ${away.node} is not reached` }
  const wanted = wantedOf(rollout, standings)
  const decision = rollout.abandoned === undefined ? wanted : backOf(rollout, standings)
  return decision.kind === 'step' ? onlyOnce(rollout, decision.step, standings) : decision
}

/** Why a rollout can't begin in the way `rolling`; undefined: it can. */
export function standsInTheWay(
  standings: readonly Pick<Standing, 'node' | 'role' | 'sub' | 'hasTarget'>[],
  started: readonly string[],
): string | undefined {
  const server = standings.find((one) => isServing(one) && !one.hasTarget)
  if (server === undefined) return undefined
  const others = standings.filter(({ node }) => node !== server.node && started.includes(node))
  if (others.length > 0) return undefined
  const idle = standings.find(({ node }) => node !== server.node)
  return idle === undefined
    ? `only node ${server.node} has the module: nobody can take over`
    : `node ${idle.node} is ${idle.role}: it can't take over from ${server.node}`
}

function wantedOf(rollout: Rollout, standings: readonly Standing[]): Decision {
  if (rollout.way === 'stop' && rollout.taken.every(({ what }) => what !== 'start')) {
    const down = downOf(rollout, standings)
    if (down !== undefined) return down
  }
  const pending = standings.filter(({ hasTarget }) => !hasTarget)
  const still = pending.find((one) => isStopped(one) && one.sub !== 'Transient')
  if (still !== undefined) return step('apply', still.node)
  const current = standings.filter(({ hasTarget }) => hasTarget)
  const up = upOf(rollout, current)
  if (up !== undefined) return up
  // Who serves is the last one: until then it serves what it always did.
  const next = pending.find((one) => !isServing(one)) ?? pending[0]
  return next === undefined ? { kind: 'done' } : touch(next, rollout, standings)
}

/** `stop`: everything stands still, then the configuration, on all nodes or on none. */
function downOf(rollout: Rollout, standings: readonly Standing[]): Decision | undefined {
  const running = standings.filter((one) => !isStopped(one))
  const next = running.find((one) => !isServing(one)) ?? running[0]
  const isApplied = standings.every(({ hasTarget }) => hasTarget)
  if (isApplied && rollout.taken.some(({ what }) => what === 'apply')) return undefined
  if (next !== undefined) return step('stop', next.node)
  const nodes = standings.map(({ node }) => node)
  return { kind: 'step', step: { what: 'apply', nodes } }
}

/** What ran before and may run again does; undefined: all of it is there, and nothing moves. */
function upOf(rollout: Rollout, candidates: readonly Standing[]): Decision | undefined {
  const { started, lead } = rollout
  const mine = candidates.filter(({ node }) => started.includes(node))
  const first = [...mine].sort((a, b) => Number(b.node === lead) - Number(a.node === lead))
  for (const one of first) {
    if (one.failure !== undefined) return halt(`${one.node}: ${one.failure}`)
    if (isStopped(one)) return step('start', one.node)
    if (one.sub === 'Transient') return { kind: 'wait', reason: said(one) }
  }
  // One that waits for another one must not keep that from being started.
  const late = first.find((one) => !isSettled(one))
  return late && { kind: 'wait', reason: said(late) }
}

/** Brings one node, which has the old configuration, a step nearer to the new one. */
function touch(one: Standing, rollout: Rollout, standings: readonly Standing[]): Decision {
  const others = standings.filter(({ node }) => node !== one.node && rollout.started.includes(node))
  const moving = others.find(({ sub }) => sub === 'Transient')
  if (moving !== undefined) return { kind: 'wait', reason: said(moving) }
  if (!isServing(one)) return step('stop', one.node)
  if (!isSettled(one)) return { kind: 'wait', reason: said(one) }
  const late = others.find((other) => !isSettled(other))
  if (late !== undefined) return { kind: 'wait', reason: said(late) }
  if (others.length === 0) return halt(`nobody can take over from node ${one.node}`)
  if (one.role === 'UP') return step('stop', one.node)
  return one.role === 'PRIM' ? step('swap', one.node) : { kind: 'wait', reason: said(one) }
}

/** Nothing new any more: what was stopped starts as it is, and then people decide. */
function backOf(rollout: Rollout, standings: readonly Standing[]): Decision {
  return upOf(rollout, standings) ?? halt(rollout.abandoned ?? '')
}

function onlyOnce(rollout: Rollout, next: Step, standings: readonly Standing[]): Decision {
  const isRepeated = rollout.taken.some(
    (before) => before.what === next.what && before.nodes.some((node) => next.nodes.includes(node)),
  )
  if (!isRepeated) return { kind: 'step', step: next }
  const now = standings.filter(({ node }) => next.nodes.includes(node)).map(said)
  return halt(`the step "${next.what}" was done and did not last: ${now.join('; ')}`)
}

function step(what: Step['what'], node: string): Decision {
  return { kind: 'step', step: { what, nodes: [node] } }
}

function halt(reason: string): Decision {
  return { kind: 'halt', reason }
}

function isServing({ role }: Pick<Standing, 'role'>): boolean {
  return serving.includes(role)
}

function isStopped({ role }: Pick<Standing, 'role'>): boolean {
  return role === 'STOP'
}

function isSettled({ role, sub }: Standing): boolean {
  return sub === 'Ready' && role !== 'STOP' && role !== 'WAIT'
}

/** One node in words. */
export function said({ node, role, sub, cause }: Standing): string {
  return `${node} is ${role} ${sub} (${cause})`
}
