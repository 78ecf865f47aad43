/** One simulated node with a module of the light topology, and everything that can be done to it. */
import type { LightConfig, State } from '@holdfast/plugin-light/decisions'
import type { OperatorCommand, Verdict } from '@holdfast/sdk'
import { Agenda } from '../agenda.js'
import { Application } from '../application.js'
import { SimNode } from '../node.js'
import { Random } from '../random.js'
import type { Coverage } from '../reached.js'
import { Trace } from '../simulation.js'
import { LightDaemon, type StepFunction } from './daemon.js'
import { eventName, placeOf, transitionOf } from './transitions.js'
import { Truth } from './truth.js'

export interface WorldOptions {
  readonly seed: number
  readonly config: LightConfig
  readonly step: StepFunction
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
  /** Whoever lives in the same daemon and gives orders. */
  readonly guest?: Guest
}

export interface Guest {
  daemonStarted(): void
  daemonEnded(how: 'daemon' | 'power'): void
  changed(state: State): void
  answered(ticket: number, verdict: Verdict): void
  applicationStarted(): void
}

export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  readonly trace: Trace | undefined
  readonly node: SimNode
  readonly application: Application
  readonly daemon: LightDaemon
  readonly truth: Truth

  constructor(readonly options: WorldOptions) {
    const { seed, config, step, coverage } = options
    this.random = new Random(seed)
    this.trace = options.traced === true ? new Trace() : undefined
    this.node = new SimNode('a', this)
    this.truth = new Truth(config, () => this.application.runs)
    this.application = new Application(this.node, {
      started: () => {
        this.note('application starts')
        this.truth.started()
        options.guest?.applicationStarted()
      },
      stopped: () => this.note('application ended'),
      serve: () => undefined,
      unserve: () => undefined,
      unfollow: () => undefined,
      isBlocked: () => false,
    })
    this.daemon = new LightDaemon({
      ...{ node: this.node, application: this.application, config, step },
      onStep: (before, event, taken) => {
        coverage?.reached(transitionOf(before, event))
        this.note(
          `${eventName(event)}: ${placeOf(before)} → ${placeOf(taken.next)} (${taken.next.cause})`,
        )
        this.truth.stepped(before, event, taken)
        options.guest?.changed(taken.next)
      },
      onAnswer: (ticket, verdict) => {
        this.truth.answered(ticket)
        options.guest?.answered(ticket, verdict)
      },
      dies: (how) => (how === 'power' ? this.powerOff() : this.killDaemon()),
    })
  }

  run(forMs: number): void {
    this.agenda.run(this.agenda.now + forMs, () => this.truth.violation !== undefined)
  }

  note(what: string): void {
    this.trace?.note(this.agenda.now, 'a', what)
  }

  command(command: OperatorCommand, identity?: string): void {
    if (this.node.isAwake('daemon')) this.daemon.command(command, identity)
  }

  powerOn(): void {
    if (this.node.powered) return
    this.note('power on')
    this.node.powered = true
    this.#startDaemon()
  }

  powerOff(): void {
    if (!this.node.powered) return
    this.note('power off')
    Object.assign(this.node, { powered: false, daemonRuns: false, frozen: 'no' })
    for (const layer of ['power', 'daemon', 'plane'] as const) this.node.ends(layer)
    this.daemon.end('power')
    this.options.guest?.daemonEnded('power')
    this.application.dies()
    this.truth.powerLost()
  }

  killDaemon(): void {
    if (!this.node.daemonRuns) return
    this.note('daemon dies')
    this.node.daemonRuns = false
    if (this.node.frozen === 'daemon') this.node.frozen = 'no'
    this.node.ends('daemon')
    this.daemon.end('daemon')
    this.options.guest?.daemonEnded('daemon')
    this.node.later('power', this.random.integer(200, 1_500), () => this.#startDaemon())
  }

  freeze(what: 'daemon' | 'node'): void {
    if (this.node.powered && this.node.frozen === 'no') this.node.frozen = what
  }

  thaw(): void {
    if (this.node.frozen !== 'no') this.node.thaw()
  }

  #startDaemon(): void {
    if (this.node.daemonRuns || !this.node.powered) return
    this.node.daemonRuns = true
    this.daemon.begin()
    this.options.guest?.daemonStarted()
  }
}
