/** For topologies: brings the resources of a node from one role to another, one transition at a time, in order. */
import { messageOf } from './errors.js'
import type { Resource, Role, Transition } from './resource.js'
import type { Clock, Log } from './services.js'
import { done, refused, type Verdict } from './verdict.js'

export class Transitions {
  readonly #resources: readonly Resource[]
  readonly #log: Log
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  #abort = new AbortController()

  constructor(resources: readonly Resource[], log: Log, clock: Clock) {
    this.#resources = resources.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1))
    this.#log = log
    this.#clock = clock
  }

  /** What runs is given up: whoever steps down does not wait for a start that hangs. */
  interrupt(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
  }

  /** Both passes. The first failure ends it; the resources that changed before stay as they are for the way back. */
  change(transition: Transition): Promise<Verdict> {
    const { signal } = this.#abort
    return this.#inTurn(async () => {
      const startedMs = this.#clock.monotonicMs()
      const verdict = await this.#passes(transition, signal)
      this.#log.write(verdict.ok ? 'info' : 'warning', 'transitionEnded', {
        from: transition.from,
        to: transition.to,
        tookMs: Math.round(this.#clock.monotonicMs() - startedMs),
        ...(verdict.ok ? {} : { code: verdict.code, reason: verdict.reason }),
      })
      return verdict
    })
  }

  restart(transition: Transition): Promise<Verdict> {
    const { signal } = this.#abort
    return this.#inTurn(async () => {
      for (const resource of this.#resources) {
        const verdict = await guarded(
          resource,
          async () => await (resource.restart?.(transition, signal) ?? done),
        )
        if (!verdict.ok) return verdict
      }
      return done
    })
  }

  adopt(role: Role, generation: string): Promise<Verdict> {
    return this.#inTurn(async () => {
      for (const resource of this.#resources) {
        const verdict = await guarded(resource, async () => await resource.adopt(role, generation))
        if (!verdict.ok) return verdict
      }
      return done
    })
  }

  async #passes(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    for (const resource of this.#resources.toReversed()) {
      const verdict = await guarded(resource, async () => await resource.leave(transition, signal))
      if (!verdict.ok) return verdict
    }
    for (const resource of this.#resources) {
      if (signal.aborted) return refused('E_ROLE_INTERRUPTED', 'the start was given up')
      const verdict = await guarded(resource, async () => await resource.enter(transition, signal))
      if (!verdict.ok) return verdict
    }
    return done
  }

  #inTurn(work: () => Promise<Verdict>): Promise<Verdict> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => undefined) // `guarded` leaves nothing to catch; the chain must not break all the same.
    return mine
  }
}

/** A resource of a plugin that throws fails its module with a sentence, and nothing else. */
async function guarded(resource: Resource, work: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await work()
  } catch (thrown) {
    return refused('E_ROLE_RESOURCE', `${resource.id}: ${messageOf(thrown)}`)
  }
}
