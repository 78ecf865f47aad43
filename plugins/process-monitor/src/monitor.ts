/**
 * Looks at all processes once for all entries, every `polltimer`, and twice a second at those that it knows: one that dies is
 * noticed at once, and a machine with thousands of others costs nothing in between.
 */
import {
  type Cancel,
  type Checker,
  type Clock,
  type Exec,
  HoldfastError,
  type Log,
  messageOf,
  type ModuleContext,
  type ModuleScripts,
  moduleVariables,
  done,
  type Seen,
} from '@holdfast/sdk'
import { isAbsolute, join } from 'node:path'
import { hasName, judge, judgeUnit, type Process } from './decide.js'
import { allProcesses, commandLineOf, processOf } from './processes.js'
import type { Watched } from './settings.js'
import type { Switches } from './switches.js'

const knownEveryMs = 500
/** Of an entry with more processes than this the others are seen at the next poll. */
const knownMax = 64
const serviceTimeoutMs = 5_000
/** A handler that takes longer is killed and has failed. */
export const handlerTimeoutMs = 300_000

export interface MonitorParts {
  readonly clock: Clock
  readonly exec: Exec
  readonly log: Log
  readonly module: ModuleContext
  /** Undefined: the module has none. */
  readonly scripts: Pick<ModuleScripts, 'variables'> | undefined
  readonly switches: Switches
  readonly pollMs: number
}

/** An entry that is watched now. */
interface Round {
  readonly watched: Watched
  readonly report: (value: Seen['value'], cause: string) => void
  readonly abort: AbortController
  polls: number
  known: readonly Process[]
  handling: boolean
  last: Seen | undefined
}

export class Monitor {
  private readonly rounds = new Map<string, Round>()
  private cancel: Cancel = () => undefined
  private looking = false
  private lookAgain = false
  private checkingKnown = false

  constructor(private readonly parts: MonitorParts) {}

  checker(watched: Watched): Pick<Checker, 'start' | 'stop'> {
    return {
      start: (report) => {
        this.end(watched.ident)
        const round: Round = {
          ...{ watched, report, abort: new AbortController() },
          ...{ polls: 0, known: [], handling: false, last: undefined },
        }
        if (this.rounds.size === 0) this.begin()
        this.rounds.set(watched.ident, round)
        this.look()
        return Promise.resolve(done)
      },
      stop: () => {
        this.end(watched.ident)
        return Promise.resolve()
      },
    }
  }

  /** What was seen last; undefined: it is not watched now, or was not looked at yet. */
  seen(ident: string): Seen | undefined {
    return this.rounds.get(ident)?.last
  }

  /** Something was switched, or one of those that it knows is gone. */
  look(): void {
    if (this.looking) {
      this.lookAgain = true
      return
    }
    this.looking = true
    void this.lookOnce().finally(() => {
      this.looking = false
      if (!this.lookAgain) return
      this.lookAgain = false
      if (this.rounds.size > 0) this.look()
    })
  }

  private begin(): void {
    const cancelPoll = this.parts.clock.every(this.parts.pollMs, () => {
      for (const round of this.rounds.values()) round.polls += 1
      this.look()
    })
    const cancelKnown = this.parts.clock.every(knownEveryMs, () => {
      if (this.checkingKnown) return
      this.checkingKnown = true
      void this.checkKnown().finally(() => (this.checkingKnown = false))
    })
    this.cancel = () => {
      cancelPoll()
      cancelKnown()
    }
  }

  private end(ident: string): void {
    const round = this.rounds.get(ident)
    if (round === undefined) return
    round.abort.abort()
    this.rounds.delete(ident)
    if (this.rounds.size === 0) this.cancel()
  }

  private async lookOnce(): Promise<void> {
    const rounds = [...this.rounds.values()]
    const isNeeded = rounds.some(({ watched }) => !watched.service)
    const processes = isNeeded ? await allProcesses() : []
    await Promise.all(rounds.map((round) => this.lookAt(round, processes)))
  }

  private async lookAt(round: Round, processes: readonly Process[]): Promise<void> {
    const { watched } = round
    const { switches } = this.parts
    if (!switches.isOn) this.tell(round, { value: 'unknown', cause: 'errd is off' })
    else if (!switches.isEnabled(watched.class)) {
      this.tell(round, { value: 'unknown', cause: `the class ${watched.class} is disabled` })
    } else if (round.polls >= watched.firstPoll - 1) {
      const seen = watched.service
        ? await this.lookAtUnit(round)
        : await this.lookAtProcesses(round, processes)
      await this.conclude(round, seen)
    }
  }

  private async lookAtProcesses(round: Round, processes: readonly Process[]): Promise<Seen> {
    const { watched } = round
    const found: Process[] = []
    for (const process of processes) {
      if (!hasName(watched, process)) continue
      if (watched.args?.test(await commandLineOf(process.pid)) === false) continue
      found.push(process)
    }
    round.known = found.slice(0, knownMax)
    return judge(watched, found.length)
  }

  private async lookAtUnit({ watched, abort }: Round): Promise<Seen> {
    const options = { timeoutMs: serviceTimeoutMs, signal: abort.signal }
    try {
      const result = await this.parts.exec.run('systemctl', ['is-active', watched.ident], options)
      const word = result.stdout.trim()
      if (word !== '') return judgeUnit(watched.ident, word)
      const why = result.timedOut ? 'it does not answer' : result.stderr.trim().slice(0, 200)
      return { value: 'unknown', cause: `systemctl: ${why}` }
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError) && !abort.signal.aborted) throw thrown
      return { value: 'unknown', cause: `systemctl: ${messageOf(thrown)}` }
    }
  }

  /** With a handler, what is missing is `down` only when the handler could not help. */
  private async conclude(round: Round, seen: Seen): Promise<void> {
    const { handler, ident } = round.watched
    if (round.handling) return
    if (seen.value !== 'down' || handler === undefined || round.abort.signal.aborted) {
      this.tell(round, seen)
      return
    }
    round.handling = true
    this.tell(round, { value: 'up', cause: `${seen.cause}; its handler runs` })
    const problem = await this.handle(handler, round)
    round.handling = false
    const helped = problem === undefined
    const text = `the handler of ${ident} ${helped ? 'ended well' : `failed: ${problem}`}`
    this.parts.log.write(helped ? 'event' : 'warning', 'handlerEnded', { text, cause: seen.cause })
    if (helped) this.tell(round, { value: 'up', cause: `${seen.cause}; ${text}` })
    else this.tell(round, { value: 'down', cause: `${seen.cause}; ${text}` })
  }

  /** Undefined: it ended with 0. */
  private async handle(handler: string, { watched, abort }: Round): Promise<string | undefined> {
    const { exec, module, scripts } = this.parts
    const bin = join(module.directories.package, 'bin')
    const path = isAbsolute(handler) ? handler : join(bin, handler)
    const args = [module.name, `proc.${watched.ident}`]
    const env = { ...scripts?.variables, ...moduleVariables(module) }
    const options = { timeoutMs: handlerTimeoutMs, signal: abort.signal, cwd: bin, env }
    try {
      const { code, signal, timedOut, stderr } = await exec.run(path, args, options)
      if (code === 0) return undefined
      if (timedOut) return `it took longer than ${String(handlerTimeoutMs / 1_000)} s`
      const how = code === undefined ? (signal ?? 'a signal') : `exit code ${String(code)}`
      return `${how} ${stderr.trim().slice(0, 200)}`.trim()
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError) && !abort.signal.aborted) throw thrown
      return messageOf(thrown)
    }
  }

  private async checkKnown(): Promise<void> {
    for (const round of this.rounds.values()) {
      const { watched, known } = round
      if (known.length === 0 || watched.atLeast < 1) continue
      const alive = await Promise.all(
        known.map(async ({ pid, started }) => (await processOf(pid))?.started === started),
      )
      // Those that came meanwhile may take the place of those that went: a look at all says.
      if (alive.includes(false)) {
        round.known = known.filter((_, index) => alive[index])
        if (round.known.length < watched.atLeast) this.look()
      }
    }
  }

  private tell(round: Round, seen: Seen): void {
    if (this.rounds.get(round.watched.ident) !== round) return // Stopped meanwhile.
    round.last = seen
    round.report(seen.value, seen.cause)
  }
}
