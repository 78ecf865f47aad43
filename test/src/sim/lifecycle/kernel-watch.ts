/** What the plugins of one life of a daemon really do: which instances run, and whom they hold. */
import type { Verdict } from '@holdfast/sdk'
import type { Part, SimConfig } from './plugins.js'

interface Instance {
  readonly id: string
  readonly config: SimConfig
  readonly holds: number | undefined
  state: 'runs' | 'stopping' | 'stopped'
}

export class KernelWatch {
  readonly #instances = new Map<number, Instance>()
  #last = 0

  constructor(readonly violated: (what: string) => void) {}

  started(id: string, config: SimConfig, needs: Part | undefined): number {
    this.#last += 1
    if (this.#running().some((one) => one.id === id)) {
      this.violated(`plugin ${id} starts while another instance of it runs`)
    }
    const held = needs === undefined ? undefined : this.#instances.get(needs.instance)
    if (held !== undefined && held.state !== 'runs') {
      this.violated(`plugin ${id} is given an instance of ${held.id} that was stopped`)
    }
    this.#instances.set(this.#last, { id, config, holds: needs?.instance, state: 'runs' })
    return this.#last
  }

  stopping(number: number): void {
    const instance = this.#instances.get(number)
    if (instance === undefined) return
    if (instance.state !== 'runs') this.violated(`plugin ${instance.id} is stopped twice`)
    const holder = this.#running().find(({ holds }) => holds === number)
    if (holder !== undefined) {
      this.violated(`plugin ${instance.id} is stopped while ${holder.id} holds it`)
    }
    instance.state = 'stopping'
  }

  stopped(number: number): void {
    const instance = this.#instances.get(number)
    if (instance !== undefined) instance.state = 'stopped'
  }

  /** For the next `applied`. */
  mark(): number {
    return this.#last
  }

  /** Nothing of a set that could not be made active is left, but what it kept. */
  applied(plan: ReadonlyMap<string, SimConfig>, verdict: Verdict, mark: number): void {
    const running = [...this.#instances].filter(([, { state }]) => state === 'runs')
    for (const [number, { id, config }] of running) {
      const isPlanned = plan.get(id)?.version === config.version
      if (!isPlanned) this.violated(`plugin ${id} runs with a configuration that is not in force`)
      if (!verdict.ok && number > mark) this.violated(`plugin ${id} is left of a failed activation`)
    }
    const missing = [...plan.keys()].filter((id) => !running.some(([, one]) => one.id === id))
    if (verdict.ok && missing.length > 0) {
      this.violated(`the set is active, and ${missing.join()} do not run`)
    }
  }

  closed(): void {
    for (const { id } of this.#running())
      this.violated(`plugin ${id} runs after the end of its set`)
  }

  #running(): readonly Instance[] {
    return [...this.#instances.values()].filter(({ state }) => state === 'runs')
  }
}
