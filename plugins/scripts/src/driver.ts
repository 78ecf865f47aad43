/** Carries out the plan of scripts for a transition, and keeps what a restarted daemon must know about it. */
import {
  type Clock,
  done,
  type Log,
  type ModuleContext,
  type Resource,
  type Role,
  type Store,
  type Transition,
  type Verdict,
  refused,
} from '@holdfast/sdk'
import { findScript } from './bin.js'
import {
  enterPlan,
  leavePlan,
  restartPlan,
  resumedPlan,
  type Step,
  type Suite,
  suitesOf,
} from './decide.js'
import { tidyOutput } from './output.js'
import { commandOf, findMarked, isAlive, signal as send } from './processes.js'
import { Runner, type RunOutcome, type RunRecord, type RunReport } from './runner.js'
import { environmentOf, markOf, type ScriptsConfig } from './settings.js'

export interface ScriptsParts {
  readonly clock: Clock
  readonly log: Log
  readonly module: ModuleContext
  readonly store: Store
  readonly config: ScriptsConfig
  /** Where Holdfast is installed: `SAFE` for scripts. */
  readonly installation: string
}

const startedName = 'started'
const killWaitMs = 5_000
const pollMs = 50

interface Started {
  readonly format: 1
  readonly suites: readonly Suite[]
}

export class ScriptsDriver implements Resource {
  readonly id = 'scripts'
  readonly order = 300
  private readonly runner: Runner
  /** One pass at a time: a pass that was aborted ends before the next one begins. */
  private tail: Promise<unknown> = Promise.resolve()

  constructor(private readonly parts: ScriptsParts) {
    this.runner = new Runner({
      clock: parts.clock,
      store: parts.store.volatile,
      directory: `${parts.module.directories.run}/scripts`,
    })
  }

  leave(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    return this.inTurn(async () => {
      const verdict = await this.carryOut(leavePlan(transition), signal)
      if (verdict.ok && suitesOf(transition.to).length === 0) await this.reportLeftovers()
      return verdict
    })
  }

  enter(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    return this.inTurn(async () =>
      this.carryOut(enterPlan(transition, await this.started()), signal),
    )
  }

  restart(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    return this.inTurn(() => this.carryOut(restartPlan(transition), signal))
  }

  /** Runs nothing. A start script that still runs is waited for, because its result is what the role depends on. */
  adopt(role: Role): Promise<Verdict> {
    return this.inTurn(async () => {
      const left = await this.runner.left()
      if (left !== undefined) await this.conclude(left)
      const started = await this.started()
      const missing = suitesOf(role).filter((suite) => !started.includes(suite))
      return missing.length === 0
        ? done
        : refused(
            'E_SCRIPT_INCOMPLETE',
            `not all start scripts have succeeded: ${missing.map((one) => `start_${one}`).join(', ')}`,
          )
    })
  }

  /** Output of scripts is bounded while the module runs, not only when a script starts. */
  async tidy(): Promise<void> {
    const { config, module } = this.parts
    await tidyOutput(module.directories.logs, config.user.userlogsize * 1024)
  }

  private inTurn(pass: () => Promise<Verdict>): Promise<Verdict> {
    const turn = this.tail.then(pass)
    // What the pass throws reaches its caller; the next pass must still get its turn.
    this.tail = turn.catch(() => undefined)
    return turn
  }

  private async carryOut(plan: readonly Step[], signal: AbortSignal): Promise<Verdict> {
    let first: Verdict = done
    for (const step of await this.resumed(plan)) {
      const verdict = await this.perform(step, signal)
      if (verdict.ok) continue
      // Each stop script gets its chance, whatever became of the one before it.
      if (step.kind !== 'stop' || signal.aborted) return verdict
      if (first.ok) first = verdict
    }
    return first
  }

  /** A script that a daemon before this one left running is gone on with, or ended when it is not wanted. */
  private async resumed(plan: readonly Step[]): Promise<readonly Step[]> {
    const left = await this.runner.left()
    if (left === undefined) return plan
    const rest = resumedPlan(plan, left)
    if (rest !== undefined) return rest
    this.parts.log.write('warning', 'scriptEnded', {
      script: left.script,
      result: 'was killed because the module goes another way now',
    })
    await this.runner.cancel(left)
    return plan
  }

  private async perform(step: Step, signal: AbortSignal): Promise<Verdict> {
    switch (step.kind) {
      case 'start': {
        const verdict = await this.must(step, signal)
        if (verdict.ok) await this.setStarted(step.suite, true)
        return verdict
      }
      case 'hook':
        return this.must(step, signal, step.failure === 'must')
      case 'stop':
        await this.setStarted(step.suite, false)
        return this.stop(step, signal)
    }
  }

  private async must(
    step: Extract<Step, { kind: 'start' | 'hook' }>,
    signal: AbortSignal,
    matters = true,
  ): Promise<Verdict> {
    const timeoutMs = this.parts.config.user.starttimeout * 1_000
    const report = await this.runOrResume(step.script, step.args, timeoutMs, signal)
    if (report === undefined || succeeded(report.outcome)) return done
    if (report.outcome.kind === 'aborted') return aborted(step.script)
    if (!matters) return done
    return refused(
      'E_SCRIPT_FAILED',
      `${step.script} ${describe(report.outcome, timeoutMs)}`,
      readHint(report),
    )
  }

  private async stop(step: Extract<Step, { kind: 'stop' }>, signal: AbortSignal): Promise<Verdict> {
    const { nicestoptimeout, forcestoptimeout } = this.parts.config.user
    if (step.nice) {
      const report = await this.runOrResume(step.script, step.args, nicestoptimeout * 1_000, signal)
      if (report === undefined) return done
      if (report.outcome.kind === 'aborted') return aborted(step.script)
    }
    const timeoutMs = forcestoptimeout * 1_000
    const args = ['force', ...step.args]
    const report = await this.runOrResume(step.script, args, timeoutMs, signal)
    if (report === undefined || succeeded(report.outcome)) return done
    if (report.outcome.kind === 'aborted') return aborted(step.script)
    const killed = await this.killLeftovers()
    const after = killed.length === 0 ? '' : `; killed what it had left: ${killed.join(', ')}`
    return refused(
      'E_SCRIPT_STOP_FAILED',
      `${step.script} force ${describe(report.outcome, timeoutMs)}: the application may still run${after}`,
      readHint(report),
    )
  }

  /** Undefined: the module has no such script. */
  private async runOrResume(
    script: string,
    args: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<RunReport | undefined> {
    const { clock, log, module } = this.parts
    const startedMs = clock.monotonicMs()
    const left = await this.runner.left()
    const path = await findScript(`${module.directories.package}/bin`, script)
    if (path === undefined) return undefined
    log.write('info', left === undefined ? 'scriptStarted' : 'scriptResumed', {
      script,
      arguments: args.join(' '),
    })
    const report =
      left === undefined
        ? await this.runNew(script, path, args, timeoutMs, signal)
        : await this.runner.finish(left, timeoutMs, signal)
    const { outcome, output } = report
    log.write(succeeded(outcome) ? 'info' : 'warning', 'scriptEnded', {
      script,
      arguments: args.join(' '),
      result: describe(outcome, timeoutMs),
      ms: Math.round(clock.monotonicMs() - startedMs),
      output,
    })
    return report
  }

  private async runNew(
    script: string,
    path: string,
    args: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<RunReport> {
    const { config, module, installation } = this.parts
    const isLogged = config.user.logging === 'userlog'
    if (isLogged) await this.tidy()
    return this.runner.run(
      {
        script,
        path,
        args,
        timeoutMs,
        environment: environmentOf(config, module, process.env, installation),
        directory: `${module.directories.package}/bin`,
        logs: isLogged ? module.directories.logs : undefined,
      },
      signal,
    )
  }

  private async conclude(left: RunRecord): Promise<void> {
    const suite = suiteOfStart(left.script)
    if (suite === undefined) {
      await this.runner.cancel(left)
      return
    }
    const timeoutMs = this.parts.config.user.starttimeout * 1_000
    const { outcome } = await this.runner.finish(left, timeoutMs, new AbortController().signal)
    this.parts.log.write(succeeded(outcome) ? 'info' : 'warning', 'scriptEnded', {
      script: left.script,
      result: describe(outcome, timeoutMs),
      output: left.output,
    })
    if (succeeded(outcome)) await this.setStarted(suite, true)
  }

  private async started(): Promise<readonly Suite[]> {
    return (await this.parts.store.volatile.read<Started>(startedName))?.suites ?? []
  }

  private async setStarted(suite: Suite, isStarted: boolean): Promise<void> {
    const others = (await this.started()).filter((one) => one !== suite)
    const suites = isStarted ? [...others, suite] : others
    const value: Started = { format: 1, suites }
    await this.parts.store.volatile.write(startedName, value)
  }

  /** Only after a stop with force has failed: what carries this module's mark is the application, or part of it. */
  private async killLeftovers(): Promise<readonly string[]> {
    const marked = await findMarked(markOf(this.parts.module))
    const names: string[] = []
    for (const { pid } of marked) {
      names.push(await commandOf(pid))
      send(pid, 'SIGKILL')
    }
    const deadlineMs = this.parts.clock.monotonicMs() + killWaitMs
    for (const one of marked) {
      while ((await isAlive(one)) && this.parts.clock.monotonicMs() < deadlineMs) await this.pause()
    }
    if (names.length > 0) this.parts.log.write('critical', 'leftoversKilled', { processes: names })
    return names
  }

  /** The stop scripts say that the application is stopped; what still runs is told, and left alone. */
  private async reportLeftovers(): Promise<void> {
    const marked = await findMarked(markOf(this.parts.module))
    if (marked.length === 0) return
    const processes = await Promise.all(marked.slice(0, 16).map(({ pid }) => commandOf(pid)))
    this.parts.log.write('warning', 'processesLeft', {
      processes,
      text: 'the stop scripts have succeeded, and processes that the scripts of this module started still run',
    })
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.after(pollMs, resolve)
    })
  }
}

function succeeded(outcome: RunOutcome): boolean {
  return outcome.kind === 'exited' && outcome.code === 0
}

function describe(outcome: RunOutcome, timeoutMs: number): string {
  switch (outcome.kind) {
    case 'exited':
      return outcome.code === 0 ? 'succeeded' : `failed with exit code ${String(outcome.code)}`
    case 'timedOut':
      return `did not end within ${String(timeoutMs / 1_000)} s and was killed`
    case 'aborted':
      return 'was killed because the transition was given up'
    case 'killed':
      return 'was killed by somebody else'
  }
}

function aborted(script: string): Verdict {
  return refused('E_SCRIPT_ABORTED', `${script} was killed because the transition was given up`)
}

function readHint({ output }: RunReport): string | undefined {
  return output === undefined ? undefined : `read its output: ${output}`
}

function suiteOfStart(script: string): Suite | undefined {
  const suites: readonly Suite[] = ['both', 'prim', 'second', 'sec']
  return suites.find((suite) => script === `start_${suite}`)
}
