/** A light module whose daemon also watches and applies rules, what there is to be seen, and what the other node says. */
import { step as lightStep } from '@holdfast/plugin-light/decisions'
import type { ResourceValue } from '@holdfast/sdk'
import { World as LightWorld } from '../light/world.js'
import type { Coverage } from '../reached.js'
import { FailoverDaemon } from './daemon.js'
import type { StepFunction } from './mutants.js'
import { Truth } from './truth.js'

export interface WorldOptions {
  readonly seed: number
  readonly step: StepFunction
  readonly handleTimeMs: number | undefined
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

/** Nothing is counted: how often a service may be interrupted is for the machine of the topology to say. */
const config = { maxloop: 3, loopIntervalMs: 0 }

export class World {
  readonly module: LightWorld
  readonly failover: FailoverDaemon
  readonly truth: Truth
  /** What a look at it would show. */
  readonly values = new Map<string, ResourceValue>([
    ['ping.gw', 'up'],
    ['custom.disk', 'up'],
    ['custom.limit', 'up'],
  ])
  readonly remote = new Map<string, ResourceValue>([['custom.disk', 'up']])
  isRemoteHeard = true
  /** The application runs and does not answer, until it is started again. */
  hangs = false
  starts = 0

  constructor(options: WorldOptions) {
    const { coverage } = options
    this.truth = new Truth(options.handleTimeMs)
    this.failover = new FailoverDaemon({
      ...{ truth: this.truth, step: options.step, handleTimeMs: options.handleTimeMs },
      module: () => this.module,
      seen: (name) => this.#seen(name),
      remote: () => (this.isRemoteHeard ? new Map(this.remote) : undefined),
      reached: (transition) => coverage?.reached(transition),
    })
    const { seed, traced = false } = options
    this.module = new LightWorld({
      ...{ seed, traced, config, step: lightStep },
      guest: {
        daemonStarted: () => this.failover.begin(),
        daemonEnded: (how) => this.failover.end(how),
        changed: (state) => this.failover.moduleChanged(state),
        answered: (ticket, verdict) => this.failover.answered(ticket, verdict),
        applicationStarted: () => {
          this.hangs = false
          this.starts += 1
        },
      },
    })
  }

  get violation(): string | undefined {
    return this.truth.violation ?? this.module.truth.violation
  }

  run(forMs: number): void {
    const { agenda } = this.module
    agenda.run(agenda.now + forMs, () => this.violation !== undefined)
  }

  #seen(name: string): ResourceValue {
    if (name !== 'tcp.web') return this.values.get(name) ?? 'unknown'
    return this.module.application.runs && !this.hangs ? 'up' : 'down'
  }
}
