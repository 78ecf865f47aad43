/** The application of one node and the scripts around it: one transition at a time, slow, failing or hanging ones too. */
import { done, refused, type Role, type Verdict } from '@holdfast/sdk'
import type { SimNode } from './node.js'

export interface Change {
  readonly from: Role
  readonly to: Role
  readonly isRestart?: boolean
}

interface Job extends Change {
  isGivenUp: boolean
  readonly then: (verdict: Verdict) => void
}

export interface ApplicationHooks {
  started(isRestart: boolean): void
  stopped(): void
  serve(): void
  unserve(): void
  unfollow(): void
  /** Does it wait in a write that nobody answers? Not even a kill ends it then. */
  isBlocked(): boolean
}

const startTimeoutMs = 20_000
const stopTimeoutMs = 3_000

export class Application {
  /** From the first moment of its start to the last of its stop. */
  runs = false
  /** How often the next starts fail or hang, and whether stops are slow or fail. */
  failingStarts = 0
  hangingStarts = 0
  isSlowToStop = false
  isStuck = false
  /** A stop script is at work, whoever ordered it. */
  #isStopping = false
  #job: Job | undefined
  #waiting: Job[] = []

  constructor(
    readonly node: SimNode,
    readonly hooks: ApplicationHooks,
  ) {}

  /** Whatever was wrong with it is repaired by hand. */
  mend(): void {
    if (this.isSlowToStop || this.isStuck) this.node.hinderedAt = this.node.sim.agenda.now
    this.failingStarts = 0
    this.hangingStarts = 0
    this.isSlowToStop = false
    this.isStuck = false
  }

  change(change: Change, then: (verdict: Verdict) => void): void {
    this.#waiting.push({ ...change, isGivenUp: false, then })
    this.#goOn()
  }

  /** Whoever steps down does not wait for a start that hangs. */
  interrupt(): void {
    if (this.#job !== undefined) this.#job.isGivenUp = true
    for (const job of this.#waiting) job.isGivenUp = true
  }

  /** The daemon died: nobody waits for the scripts any more. They go on by themselves. */
  forget(): void {
    this.#job = undefined
    this.#waiting = []
  }

  /** It ends by itself, and nobody is told. */
  exits(): void {
    if (this.runs) this.#set(false)
  }

  /** Power is gone. */
  dies(): void {
    this.forget()
    if (this.runs) this.#set(false)
  }

  #goOn(): void {
    if (this.#job !== undefined) return
    this.#job = this.#waiting.shift()
    if (this.#job !== undefined) this.#run(this.#job)
  }

  #finish(job: Job, verdict: Verdict): void {
    if (this.#job !== job) return
    this.#job = undefined
    job.then(verdict)
    this.#goOn()
  }

  #run(job: Job): void {
    const stopsServing = isServing(job.from) && (!isServing(job.to) || job.isRestart === true)
    const startsServing = isServing(job.to) && (!isServing(job.from) || job.isRestart === true)
    if (stopsServing) {
      this.#stop(job, () => {
        if (job.isRestart === true) this.#start(job)
        else {
          this.hooks.unserve()
          this.#finish(job, done)
        }
      })
      return
    }
    if (job.from === 'second') this.hooks.unfollow()
    if (startsServing) {
      this.hooks.serve()
      this.#start(job)
      return
    }
    this.node.later('daemon', this.node.sim.random.integer(1, 60), () => this.#finish(job, done))
  }

  #start(job: Job): void {
    const { random } = this.node.sim
    if (job.isGivenUp) {
      this.#finish(job, refused('E_SIM_GIVEN_UP', 'the start was given up'))
      return
    }
    if (!this.runs) this.#set(true, job.isRestart)
    if (this.hangingStarts > 0) {
      this.hangingStarts -= 1
      this.#hang(job, this.node.sim.agenda.now + startTimeoutMs)
      return
    }
    const fails = this.failingStarts > 0
    if (fails) this.failingStarts -= 1
    this.node.later('daemon', random.integer(5, 700), () => {
      if (!fails) this.#finish(job, done)
      else {
        // A start that failed may have left something running, or nothing.
        if (random.chance(0.5) && this.runs) this.#set(false)
        this.#finish(job, refused('E_SIM_START', 'the start script failed'))
      }
    })
  }

  #hang(job: Job, untilMs: number): void {
    this.node.later('daemon', 200, () => {
      const isOver = job.isGivenUp || this.node.sim.agenda.now >= untilMs
      if (isOver) this.#finish(job, refused('E_SIM_START', 'the start script hangs'))
      else this.#hang(job, untilMs)
    })
  }

  /** The stop script is a process of its own: it goes on when the daemon dies, but nobody unserves then. */
  #stop(job: Job, then: () => void): void {
    const { random } = this.node.sim
    if (this.isStuck && this.runs) {
      this.node.later('daemon', stopTimeoutMs, () =>
        this.#finish(job, refused('E_SIM_STOP', 'the application does not end')),
      )
      return
    }
    if (!this.runs) {
      this.node.later('daemon', 5, then)
      return
    }
    if (!this.#isStopping) {
      this.#isStopping = true
      const durationMs = this.isSlowToStop ? random.integer(3_000, 9_000) : random.integer(5, 1_500)
      this.#end(durationMs)
    }
    this.#whenStopped(then)
  }

  #end(afterMs: number): void {
    this.node.later('power', afterMs, () => {
      if (!this.runs) return
      if (this.hooks.isBlocked()) this.#end(200)
      else this.#set(false)
    })
  }

  #whenStopped(then: () => void): void {
    this.node.later('daemon', 100, () => {
      if (this.runs) this.#whenStopped(then)
      else then()
    })
  }

  #set(runs: boolean, isRestart = false): void {
    this.runs = runs
    this.#isStopping = false
    if (runs) this.hooks.started(isRestart)
    else this.hooks.stopped()
  }
}

function isServing(role: Role): boolean {
  return role === 'alone' || role === 'prim'
}
