/** What each module of this node is at the moment, for plugins of other modules: the sdk's Modules. */
import type { Cancel, Modules, ModuleState } from '@holdfast/sdk'

type Watcher = (name: string, state: ModuleState) => void

export interface StateSource {
  stateOf(name: string): ModuleState | undefined
  aliveOf(name: string): Promise<void>
}

export class ModuleStates implements Modules {
  private readonly watchers = new Set<Watcher>()
  private source: StateSource | undefined

  /** Whoever has the modules, once it is made: it needs the plugins' services first, and they need this. */
  attach(source: StateSource): void {
    this.source = source
  }

  state(name: string): ModuleState | undefined {
    return this.source?.stateOf(name)
  }

  /** See the sdk's Liveness. */
  async alive(name: string): Promise<void> {
    await this.source?.aliveOf(name)
  }

  watch(on: Watcher): Cancel {
    this.watchers.add(on)
    return () => {
      this.watchers.delete(on)
    }
  }

  tell(name: string, state: ModuleState): void {
    for (const watcher of [...this.watchers]) watcher(name, state)
  }
}
