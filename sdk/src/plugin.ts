/** How a plugin is written: what it needs goes in typed, what it gives goes out through the scope. */
import type { Contributions, LivePoint, Point, Token } from './token.js'

/** `needs` of a plugin: names of its own choice, each a token (one instance), a point (all contributions) or a live point. */
export interface Needs {
  readonly [name: string]: Token<unknown> | Point<unknown> | LivePoint<unknown>
}

/** What `activate` receives: the same names, with the instances. */
export type Deps<N extends Needs> = {
  readonly [K in keyof N]: N[K] extends LivePoint<infer T>
    ? Contributions<T>
    : N[K] extends Point<infer T>
      ? readonly T[]
      : N[K] extends Token<infer T>
        ? T
        : never
}

/** Open only while `activate` runs; a call after that is an error. */
export interface Scope {
  /** Adds one contribution to an extension point. `id` is unique within the point. */
  contribute<T>(point: Point<T>, id: string, contribution: T): void
  /** Provides the one instance of a token that the manifest lists under `provides`. */
  provide<T>(token: Token<T>, instance: T): void
  /** Called once when the plugin stops, in reverse order of registration. */
  onStop(stop: () => Promise<void> | void): void
}

export interface PluginDefinition<N extends Needs = Needs, C = unknown> {
  readonly needs: N
  /** No work before this is called. `config` has passed the manifest's schema, defaults filled in. */
  activate(deps: Deps<N>, config: C, scope: Scope): Promise<void> | void
}

/** A plugin's entry file exports `plugin = definePlugin(…)`. */
export function definePlugin<N extends Needs, C>(
  definition: PluginDefinition<N, C>,
): PluginDefinition<N, C> {
  return definition
}
