/** Carries out the plan of scripts for a transition, and keeps what a restarted daemon must know about it. */
import {
  type Clock,
  done,
  type Log,
  type ModuleContext,
  type Program,
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
  partOf,
  partsOf,
  restartPlan,
  resumedPlan,
  type Step,
  type Suite,
  suitesOf,
} from './decide.js'
import type { Offered } from './offered.js'
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
  /** What other plugins want to have started and stopped. */
  readonly programs: readonly Program[]
  /** What other plugins want to have said to the scripts of a restart. */
  readonly offered: Pick<Offered, 'forRestart'>
  /** Where Holdfast is installed: `SAFE` for scripts. */
  readonly installation: string
}

const startedName = 'started'
const killWaitMs = 5_000
const pollMs = 50
const suites: readonly Suite[] = ['both', 'prim', 'second', 'sec']

interface Started {
  readonly format: 1
  /** And programs, by their names. */
  readonly suites: readonly string[]
}

/** How a script of the module or a program of another plugin is called. */
interface Call {
  readonly script: string
  readonly args: readonly string[]
  readonly timeoutMs: number
  /** Undefined: it is looked for in the module's `bin/`. */
  readonly path?: string
  readonly environment?: Readonly<Record<string, string>>
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
      const verdict = await this.carryOut(leavePlan(transition, this.parts.programs), signal)
      if (verdict.ok && suitesOf(transition.to).length === 0) await this.reportLeftovers()
      return verdict
    })
  }

  enter(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    return this.inTurn(async () => {
      const plan = enterPlan(transition, await this.started(), this.parts.programs)
      return this.carryOut(plan, signal)
    })
  }

  restart(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    return this.inTurn(() => {
      const { offered, programs } = this.parts
      const more = offered.forRestart(transition.cause)
      return this.carryOut(restartPlan(transition, programs, more), signal)
    })
  }

  /** Runs nothing. A start script that still runs is waited for, because its result is what the role depends on. */
  adopt(role: Role): Promise<Verdict> {
    return this.inTurn(async () => {
      const left = await this.runner.left()
      if (left !== undefined) await this.conclude(left)
      const started = await this.started()
      const missing = partsOf(role, this.parts.programs).filter((part) => !started.includes(part))
      return missing.length === 0
        ? done
        : refused('E_SCRIPT_INCOMPLETE', `not everything was started: ${missing.join(', ')}`)
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
      if (!isStop(step) || signal.aborted) return verdict
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
      case 'start':
      case 'startProgram': {
        const verdict = await this.must(this.callOf(step), signal)
        if (verdict.ok) await this.setStarted(partOf(step), true)
        return verdict
      }
      case 'hook':
        return this.must(this.callOf(step), signal, step.failure === 'must')
      case 'stop':
        await this.setStarted(step.suite, false)
        return this.stop(step, signal)
      case 'stopProgram':
        await this.setStarted(step.script, false)
        return this.mustStop(this.callOf(step), signal)
    }
  }

  /** A stop script is called with `force` by `stop`. */
  private callOf(step: Step): Call {
    const { script, args } = step
    const { starttimeout, nicestoptimeout } = this.parts.config.user
    switch (step.kind) {
      case 'startProgram':
        return { script, path: step.program.path, ...step.program.start }
      case 'stopProgram':
        return { script, path: step.program.path, ...step.program.stop }
      case 'start':
      case 'hook':
        return { script, args, timeoutMs: starttimeout * 1_000 }
      case 'stop':
        return { script, args, timeoutMs: nicestoptimeout * 1_000 }
    }
  }

  private async must(call: Call, signal: AbortSignal, matters = true): Promise<Verdict> {
    const report = await this.runOrResume(call, signal)
    if (report === undefined || succeeded(report.outcome)) return done
    if (report.outcome.kind === 'aborted') return aborted(call.script)
    if (!matters) return done
    return refused(
      'E_SCRIPT_FAILED',
      `${call.script} ${describe(report.outcome, call.timeoutMs)}`,
      readHint(report),
    )
  }

  private async stop(step: Extract<Step, { kind: 'stop' }>, signal: AbortSignal): Promise<Verdict> {
    const call = this.callOf(step)
    if (step.nice) {
      const report = await this.runOrResume(call, signal)
      if (report === undefined) return done
      if (report.outcome.kind === 'aborted') return aborted(step.script)
    }
    const timeoutMs = this.parts.config.user.forcestoptimeout * 1_000
    return this.mustStop({ ...call, args: ['force', ...step.args], timeoutMs }, signal)
  }

  /** The last call of a stop: when it fails, nobody knows whether the application has stopped. */
  private async mustStop(call: Call, signal: AbortSignal): Promise<Verdict> {
    const report = await this.runOrResume(call, signal)
    if (report === undefined || succeeded(report.outcome)) return done
    if (report.outcome.kind === 'aborted') return aborted(call.script)
    const killed = await this.killLeftovers()
    const after = killed.length === 0 ? '' : `; killed what it had left: ${killed.join(', ')}`
    const [how] = call.args
    return refused(
      'E_SCRIPT_STOP_FAILED',
      `${call.script} ${how ?? ''} ${describe(report.outcome, call.timeoutMs)}: the application may still run${after}`,
      readHint(report),
    )
  }

  /** Undefined: the module has no such script. */
  private async runOrResume(call: Call, signal: AbortSignal): Promise<RunReport | undefined> {
    const { clock, log, module } = this.parts
    const { script, args, timeoutMs } = call
    const startedMs = clock.monotonicMs()
    const left = await this.runner.left()
    const path = call.path ?? (await findScript(`${module.directories.package}/bin`, script))
    if (path === undefined) return undefined
    log.write('info', left === undefined ? 'scriptStarted' : 'scriptResumed', {
      script,
      arguments: args.join(' '),
    })
    const report =
      left === undefined
        ? await this.runNew(call, path, signal)
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
    { script, args, timeoutMs, environment }: Call,
    path: string,
    signal: AbortSignal,
  ): Promise<RunReport> {
    const { config, module, installation } = this.parts
    const common = environmentOf(config, module, process.env, installation)
    const isLogged = config.user.logging === 'userlog'
    if (isLogged) await this.tidy()
    return this.runner.run(
      {
        script,
        path,
        args,
        timeoutMs,
        environment: { ...common, ...environment },
        directory: `${module.directories.package}/bin`,
        logs: isLogged ? module.directories.logs : undefined,
      },
      signal,
    )
  }

  private async conclude(left: RunRecord): Promise<void> {
    const started = this.startedBy(left)
    if (started === undefined) {
      await this.runner.cancel(left)
      return
    }
    const { part, timeoutMs } = started
    const { outcome } = await this.runner.finish(left, timeoutMs, new AbortController().signal)
    this.parts.log.write(succeeded(outcome) ? 'info' : 'warning', 'scriptEnded', {
      script: left.script,
      result: describe(outcome, timeoutMs),
      output: left.output,
    })
    if (succeeded(outcome)) await this.setStarted(part, true)
  }

  /** The part of the application that a script or program which was found running starts; undefined: it starts none. */
  private startedBy({
    script,
    args,
  }: RunRecord): { readonly part: string; readonly timeoutMs: number } | undefined {
    const suite = suites.find((one) => script === `start_${one}`)
    if (suite !== undefined) {
      return { part: suite, timeoutMs: this.parts.config.user.starttimeout * 1_000 }
    }
    const program = this.parts.programs.find(({ name }) => name === script)
    if (program === undefined || program.start.args.join(' ') !== args.join(' ')) return undefined
    return { part: program.name, timeoutMs: program.start.timeoutMs }
  }

  private async started(): Promise<readonly string[]> {
    return (await this.parts.store.volatile.read<Started>(startedName))?.suites ?? []
  }

  private async setStarted(part: string, isStarted: boolean): Promise<void> {
    const others = (await this.started()).filter((one) => one !== part)
    const suites = isStarted ? [...others, part] : others
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

function isStop({ kind }: Step): boolean {
  return kind === 'stop' || kind === 'stopProgram'
}
