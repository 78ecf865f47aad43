/** The plugins of the simulated module: they depend on each other, and start and stop as their configuration says. */
import { type PlannedPlugin, resolveOrder } from '@holdfast/core/decisions'
import {
  definePlugin,
  type Needs,
  type PluginDefinition,
  type PluginManifest,
  token,
} from '@holdfast/sdk'
import type { Random } from '../random.js'

export type Behaviour = 'well' | 'fails' | 'hangs'

/** Of one plugin: equal text, same instance. */
export interface SimConfig {
  readonly version: number
  readonly start: Behaviour
  readonly stop: Behaviour
}

/** What an order puts into force: plugin → its configuration. Undefined: it is refused when it is verified on `refusedOn`. */
export interface Configuration {
  readonly digest: string
  readonly plugins: ReadonlyMap<string, SimConfig>
  readonly refusedOn: 'a' | 'b' | undefined
}

export interface Part {
  readonly instance: number
}

const base = token<Part>('sim.base')
const middle = token<Part>('sim.middle')

const shapes: Readonly<Record<string, { readonly provides?: string; readonly needs?: string }>> = {
  base: { provides: base.id },
  middle: { provides: middle.id, needs: base.id },
  top: { needs: middle.id },
  aside: {},
}

export const pluginIds = Object.keys(shapes)
export const startTimeoutMs = 2_000
export const stopTimeoutMs = 1_500

function manifestOf(id: string): PluginManifest {
  const { provides, needs } = shapes[id] ?? {}
  return {
    ...{ id, version: '1.0.0', scope: 'module', entry: 'index.js', platforms: ['linux'] },
    needs: needs === undefined ? [] : [needs],
    provides: provides === undefined ? [] : [provides],
    contributes: [],
    requires: {},
    conflicts: [],
    capabilities: [],
    config: {},
    engines: { holdfast: '^0.1.0' },
    ...{ startTimeoutMs, stopTimeoutMs },
  }
}

const manifests = pluginIds.map(manifestOf)

/** In the order that the product's graph gives. */
export function planOf({ plugins }: Configuration): readonly PlannedPlugin[] {
  const result = resolveOrder({
    ...{ scope: 'module', platform: 'linux', available: manifests, broken: new Map() },
    wanted: [...plugins.keys()].map((id) => ({ id, because: 'it is configured' })),
    coreTokens: [],
    satisfies: () => true,
  })
  if (!result.ok) throw new Error(result.reasons.join('; '))
  return result.order.map((manifest) => ({
    source: { manifest, directory: `/${manifest.id}`, trust: { kind: 'builtin' } },
    config: plugins.get(manifest.id),
  }))
}

export interface PluginWorld {
  started(id: string, config: SimConfig, needs: Part | undefined): number
  stopping(instance: number): void
  stopped(instance: number): void
  later(run: () => void): void
}

export function definitionOf(id: string, world: PluginWorld): PluginDefinition<Needs, SimConfig> {
  const { provides, needs } = shapes[id] ?? {}
  const needed = needs === base.id ? base : needs === middle.id ? middle : undefined
  return definePlugin<Needs, SimConfig>({
    needs: needed === undefined ? {} : { part: needed },
    activate: async (deps, own, scope) => {
      const part = deps['part'] as Part | undefined // Its only need is one of the two tokens.
      const instance = world.started(id, own, part)
      scope.onStop(async () => {
        world.stopping(instance)
        await behaves(own.stop, world)
        world.stopped(instance)
      })
      await behaves(own.start, world)
      if (provides === base.id) scope.provide(base, { instance })
      if (provides === middle.id) scope.provide(middle, { instance })
    },
  })
}

async function behaves(how: Behaviour, world: PluginWorld): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (how === 'hangs') return
    world.later(() => {
      if (how === 'well') resolve()
      else reject(new Error('as configured'))
    })
  })
}

/** Most of them work; parts of the last one stay as they are, so that instances can be kept. */
export function nextConfiguration(
  digest: string,
  last: Configuration | undefined,
  random: Random,
): Configuration {
  const chosen = new Map<string, SimConfig>()
  const wanted = random.pick([['base', 'middle', 'top'], ['base', 'middle', 'aside'], pluginIds])
  for (const id of wanted) {
    const before = last?.plugins.get(id)
    const behaviour = (chance: number): Behaviour =>
      random.chance(chance) ? random.pick(['fails', 'hangs']) : 'well'
    if (before !== undefined && random.chance(0.5)) chosen.set(id, before)
    else {
      const version = random.integer(1, 1_000_000)
      chosen.set(id, { version, start: behaviour(0.08), stop: behaviour(0.05) })
    }
  }
  const refusedOn = random.chance(0.15) ? random.pick(['a', 'b'] as const) : undefined
  return { digest, plugins: chosen, refusedOn }
}
