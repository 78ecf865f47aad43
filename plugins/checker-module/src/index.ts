/** Does another module serve? `<check><module name="leader"/></check>`: this one waits for it, and is restarted with it. */
import {
  type Cancel,
  type Checker,
  checker,
  type CheckEntry,
  type Clock,
  clock,
  definePlugin,
  done,
  entryProblems,
  HoldfastError,
  looking,
  messageOf,
  type ModuleContext,
  modules,
  type Peers,
  peers,
  type Seen,
} from '@holdfast/sdk'
import { Tracker, type Tracked } from './tracker.js'

interface ModuleEntry {
  readonly name: string
  readonly ident?: string
  readonly when: 'pre'
  readonly to?: { readonly addr?: string; readonly interval: number; readonly timeout: number }
}

interface ModuleConfig {
  readonly check: { readonly module: readonly ModuleEntry[] }
}

const needs = { clock, modules, peers }
const usual = { interval: 10, timeout: 5 }
/** A restart is shown as down for so long at least, so that the rules, which want half a second, act upon it. */
export const shownMs = 2_000

export const plugin = definePlugin<typeof needs, ModuleConfig>({
  needs,
  activate({ clock, modules, peers }, { check }, scope) {
    const trackers = new Map<string, Tracker>()
    for (const { name } of check.module) {
      if (!trackers.has(name)) trackers.set(name, new Tracker(modules, name))
    }
    scope.onStop(() => {
      for (const tracker of trackers.values()) tracker.stop()
    })
    scope.onStop(
      peers.onCall((_node, message) => {
        const tracker = typeof message === 'string' ? trackers.get(message) : undefined
        if (tracker !== undefined) return Promise.resolve(tracker.seen)
        throw new HoldfastError('E_CHECKER_MODULE', 'this node does not watch that module')
      }),
    )
    for (const entry of check.module) {
      const { name, to = usual } = entry
      const tracker = trackers.get(name)
      if (tracker === undefined) continue
      const node = 'addr' in to ? to.addr : undefined
      const isHere = node === undefined || node === peers.self
      const watch = isHere
        ? watchHere(clock, tracker, to.interval * 1_000)
        : watchThere(clock, peers, { node, name, ...to })
      // Its rule is that of the class: module_failure.
      scope.contribute(checker, `module.${identOf(entry)}`, {
        when: 'pre',
        rule: undefined,
        ...watch,
      })
    }
  },
})

export function check({ check }: ModuleConfig, context: Pick<ModuleContext, 'name' | 'nodes'>) {
  const own = check.module.flatMap(({ name, to }, index) => {
    const path = `/check/module/${String(index)}`
    const itself = `a module that waits for itself would never start`
    const nodes = `"${to?.addr ?? ''}" is no node of this module; allowed: ${context.nodes.join(', ')}`
    return [
      ...(name === context.name ? [{ path: `${path}/name`, message: itself }] : []),
      ...(to?.addr === undefined || context.nodes.includes(to.addr)
        ? []
        : [{ path: `${path}/to/addr`, message: nodes }]),
    ]
  })
  const entries = check.module.map((entry): CheckEntry => ({ ident: identOf(entry), when: 'pre' }))
  return { errors: [...entryProblems('/check/module', entries), ...own] }
}

function identOf({ name, ident, to }: ModuleEntry): string {
  return ident ?? (to?.addr === undefined ? name : `${name}_${to.addr}`)
}

function watchHere(
  clock: Clock,
  tracker: Tracker,
  everyMs: number,
): Pick<Checker, 'start' | 'stop'> {
  let cancels: Cancel[] = []
  const stop = (): Promise<void> => {
    for (const cancel of cancels.splice(0)) cancel()
    return Promise.resolve()
  }
  return {
    stop,
    start: async (report) => {
      await stop()
      let downMs = -Infinity
      let cancelShown: Cancel = () => undefined
      const tell = (): void => {
        cancelShown()
        const { value, cause } = tracker.seen
        const nowMs = clock.monotonicMs()
        if (value === 'down') downMs = nowMs
        const leftMs = downMs + shownMs - nowMs
        if (value === 'up' && leftMs > 0) {
          report('down', `${cause}, it was restarted`)
          cancelShown = clock.after(leftMs, tell)
        } else report(value, cause)
      }
      cancels = [
        tracker.watch(tell),
        clock.every(everyMs, tell),
        () => {
          cancelShown()
        },
      ]
      const { value, cause } = tracker.seen
      report(value, cause)
      return done
    },
  }
}

function watchThere(
  clock: Clock,
  peers: Peers,
  to: {
    readonly node: string
    readonly name: string
    readonly interval: number
    readonly timeout: number
  },
): Pick<Checker, 'start' | 'stop'> {
  const timeoutMs = to.timeout * 1_000
  let turns: number | undefined
  const look = async (): Promise<Seen> => {
    const tracked = trackedOf(await answerOf(peers, to.node, to.name, timeoutMs))
    const isRestart = turns !== undefined && turns !== tracked.turns && tracked.value === 'up'
    turns = tracked.turns
    const cause = `${tracked.cause} on ${to.node}`
    if (isRestart) return { value: 'down', cause: `${cause}, it was restarted` }
    return { value: tracked.value, cause }
  }
  return looking(clock, { everyMs: to.interval * 1_000, timeoutMs }, look)
}

/** A node that does not answer serves nothing for us: down, not unknown. */
async function answerOf(peers: Peers, node: string, name: string, timeoutMs: number) {
  try {
    return await peers.call(node, name, timeoutMs)
  } catch (thrown) {
    throw new Error(`${node}: ${messageOf(thrown)}`, { cause: thrown })
  }
}

function trackedOf(answer: unknown): Tracked {
  const fields: Readonly<Record<string, unknown>> =
    typeof answer === 'object' && answer !== null ? { ...answer } : {}
  const { value, cause, turns } = fields
  const isValue = value === 'up' || value === 'down' || value === 'unknown'
  if (isValue && typeof cause === 'string' && typeof turns === 'number') {
    return { value, cause: cause.slice(0, 200), turns }
  }
  throw new Error('the answer of the other node is not one')
}
