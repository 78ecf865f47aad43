/** Tells plugins that go on which contributions came and went: what a live need receives. */
import { type Cancel, type Clock, type Contributions, messageOf } from '@holdfast/sdk'
import { within } from '../scheduling/deadline.js'

export const watchersMax = 64

interface Watcher {
  readonly plugin: string
  readonly point: string
  readonly on: () => Promise<void> | void
}

/** A plugin that could not be told. */
export interface Untold {
  readonly plugin: string
  readonly reason: string
}

export class LivePoints {
  private readonly watchers = new Set<Watcher>()

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly contributions: (point: string) => ReadonlyMap<string, unknown>,
  ) {}

  for(plugin: string, point: string): Contributions<unknown> {
    return {
      all: () => this.contributions(point),
      watch: (on) => this.add({ plugin, point, on }),
    }
  }

  /** The plugin is stopped: it is told nothing any more. */
  forget(plugin: string): void {
    for (const watcher of this.watchers) {
      if (watcher.plugin === plugin) this.watchers.delete(watcher)
    }
  }

  /** Returns when all of `plugins` that watch one of `points` know, or after `timeoutMs`. */
  async tell(
    points: ReadonlySet<string>,
    plugins: ReadonlySet<string>,
    timeoutMs: number,
  ): Promise<readonly Untold[]> {
    const concerned = [...this.watchers].filter(
      ({ point, plugin }) => points.has(point) && plugins.has(plugin),
    )
    const told = concerned.map(async ({ plugin, point, on }): Promise<readonly Untold[]> => {
      try {
        const call = (async () => {
          await on()
        })()
        await within(this.clock, timeoutMs, `plugin ${plugin}: a change of ${point}`, call)
        return []
      } catch (thrown) {
        return [{ plugin, reason: messageOf(thrown) }] // Foreign code: reported with its name.
      }
    })
    return (await Promise.all(told)).flat()
  }

  private add(watcher: Watcher): Cancel {
    const own = [...this.watchers].filter(({ plugin }) => plugin === watcher.plugin)
    if (own.length >= watchersMax) {
      throw new Error(`plugin ${watcher.plugin} watches more than ${String(watchersMax)} times`)
    }
    this.watchers.add(watcher)
    return () => {
      this.watchers.delete(watcher)
    }
  }
}
