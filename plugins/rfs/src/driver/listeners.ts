/** Who listens to the replica's events. What happens before anybody listens is kept for the first who does. */
import type { Cancel, ReplicaEvent } from '@holdfast/sdk'

/** Adoption comes before listening: then there are one or two facts to tell. */
const untoldMax = 16

export class Listeners {
  private readonly listeners = new Set<(event: ReplicaEvent) => void>()
  private untold: ReplicaEvent[] = []

  private readonly own: readonly (((event: ReplicaEvent) => void) | undefined)[]

  /** `own`: of this plugin; they hear everything at once. */
  constructor(...own: readonly (((event: ReplicaEvent) => void) | undefined)[]) {
    this.own = own
  }

  tell(event: ReplicaEvent): void {
    for (const on of this.own) on?.(event)
    if (this.listeners.size === 0) {
      if (event.kind !== 'progressed') this.untold = [...this.untold, event].slice(-untoldMax)
      return
    }
    for (const on of this.listeners) on(event)
  }

  watch(on: (event: ReplicaEvent) => void): Cancel {
    this.listeners.add(on)
    const missed = this.untold
    this.untold = []
    // After the caller has what it needs to handle them.
    queueMicrotask(() => {
      for (const event of missed) if (this.listeners.has(on)) on(event)
    })
    return () => {
      this.listeners.delete(on)
    }
  }
}
