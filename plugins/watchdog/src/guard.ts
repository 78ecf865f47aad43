/**
 * One module's part: the watchdog is armed before this node serves and switched off after it has stopped serving. In
 * between the module's topology is asked again and again whether it still decides, and whether this node may still serve.
 */
import {
  type Cancel,
  type Clock,
  done,
  HoldfastError,
  isServing,
  type Liveness,
  type Log,
  type Resource,
  type Role,
  type Transition,
  type Verdict,
} from '@holdfast/sdk'
import type { Duty } from './decide.js'
import type { Holder, Keeper } from './keeper.js'
import { askingPeriodMs, type WatchdogSettings } from './settings.js'

export interface GuardWorld {
  readonly clock: Clock
  readonly log: Log
  readonly module: string
  readonly liveness: Liveness
  readonly keeper: Keeper
  readonly settings: WatchdogSettings['watchdog']
}

export class Guard implements Resource, Holder {
  readonly id = 'watchdog'
  /** Below the data: armed before anything of the role is there, disarmed when all of it is gone. */
  readonly order = 50
  readonly clock: Clock
  readonly log: Log
  readonly timeoutSeconds: number
  readonly #world: GuardWorld
  #cancel: Cancel = () => undefined
  #askedMs: number | undefined
  #overdue: string | undefined
  #isArmed = false
  /** Of a question that was asked before the last arming, the answer says nothing. */
  #round = 0

  constructor(world: GuardWorld) {
    this.#world = world
    this.clock = world.clock
    this.log = world.log
    this.timeoutSeconds = world.settings.timeout
  }

  enter({ from, to }: Transition): Promise<Verdict> {
    return Promise.resolve(!isServing(from) && isServing(to) ? this.#arm() : done)
  }

  leave({ from, to }: Transition): Promise<Verdict> {
    if (isServing(from) && !isServing(to)) this.disarm()
    return Promise.resolve(done)
  }

  adopt(role: Role): Promise<Verdict> {
    if (isServing(role)) return Promise.resolve(this.#arm())
    this.disarm()
    return Promise.resolve(done)
  }

  duty(): Duty {
    const { module, settings } = this.#world
    return { module, askedMs: this.#askedMs, hangMs: settings.hang * 1_000, overdue: this.#overdue }
  }

  /** Safe to repeat. */
  disarm(): void {
    if (!this.#isArmed) return
    this.#isArmed = false
    this.#round += 1
    this.#cancel()
    this.#askedMs = undefined
    this.#overdue = undefined
    this.#world.keeper.release(this)
  }

  #arm(): Verdict {
    if (this.#isArmed) return done
    const { keeper, settings, log, clock } = this.#world
    const refusal = keeper.hold(this)
    if (refusal !== undefined) {
      if (settings.mode === 'required') return refusal
      const text = `served without a watchdog: ${refusal.reason}`
      log.write('warning', 'watchdogNone', { text, code: refusal.code })
      return done
    }
    this.#isArmed = true
    this.#cancel = clock.every(askingPeriodMs(settings.timeout), () => this.#ask())
    return done
  }

  /** One question at a time. What answers late answers all the same; what never answers is the hang that is looked for. */
  #ask(): void {
    if (this.#askedMs !== undefined) return
    const round = this.#round
    this.#askedMs = this.clock.monotonicMs()
    const answered = (overdue?: string): void => {
      if (round !== this.#round) return
      this.#askedMs = undefined
      this.#overdue = overdue
    }
    this.#world.liveness.alive().then(
      () => answered(),
      // Any other rejection is an answer too: whoever fails ends its process, and that is not ours to do.
      (thrown: unknown) => answered(thrown instanceof HoldfastError ? thrown.message : undefined),
    )
  }
}
