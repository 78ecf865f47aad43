/** What another module of this node does, and how often it began to serve. */
import type { Cancel, Modules, ModuleState, Seen } from '@holdfast/sdk'

const servingRoles: readonly string[] = ['PRIM', 'ALONE', 'UP']

export interface Tracked extends Seen {
  /** Increases each time when it serves again: a restart that was quicker than any look is seen all the same. */
  readonly turns: number
}

export class Tracker {
  private current: Tracked
  private readonly cancel: Cancel
  private readonly watchers = new Set<() => void>()

  constructor(modules: Modules, name: string) {
    this.current = { ...judge(name, modules.state(name)), turns: 0 }
    this.cancel = modules.watch((changed, state) => {
      if (changed !== name) return
      const seen = judge(name, state)
      const again = seen.value === 'up' && this.current.value !== 'up'
      const isChange = seen.value !== this.current.value
      this.current = { ...seen, turns: this.current.turns + (again ? 1 : 0) }
      if (isChange) for (const on of [...this.watchers]) on()
    })
  }

  get seen(): Tracked {
    return this.current
  }

  watch(on: () => void): Cancel {
    this.watchers.add(on)
    return () => this.watchers.delete(on)
  }

  stop(): void {
    this.cancel()
  }
}

/** Up: it serves here, and its application runs. A secondary does not serve. */
export function judge(name: string, state: ModuleState | undefined): Seen {
  if (state === undefined) return { value: 'down', cause: `there is no module ${name}` }
  const isUp = servingRoles.includes(state.role) && state.sub === 'Ready'
  return { value: isUp ? 'up' : 'down', cause: `module ${name} is ${state.role} ${state.sub}` }
}
