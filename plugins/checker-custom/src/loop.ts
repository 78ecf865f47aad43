/** Keeps an endless program running: one that ends is started again, later each time, and its resource is unknown meanwhile. */
import { type ChildProcess, spawn } from 'node:child_process'
import { type Cancel, type Checker, type Clock, done, type Log } from '@holdfast/sdk'
import type { Program } from './settings.js'

const firstPauseMs = 1_000
const pauseMsMax = 60_000
/** Who ran so long has a right to a quick start again. */
const steadyMs = 60_000
/** From the polite signal to the one that nobody survives. */
export const graceMs = 3_000
const rememberedBytes = 500
/** From the end of the program to the end of what it said. */
const lastWordsMs = 500

interface Parts {
  readonly name: string
  readonly program: Program
  readonly clock: Clock
  readonly log: Log
}

type Report = Parameters<Checker['start']>[0]

export class Loop implements Pick<Checker, 'start' | 'stop'> {
  private child: ChildProcess | undefined
  private ended: Promise<void> = Promise.resolve()
  private cancel: Cancel = () => undefined
  private wanted = 0
  private pauseMs = firstPauseMs

  constructor(private readonly parts: Parts) {}

  async start(report: Report): Promise<typeof done> {
    await this.stop()
    this.pauseMs = firstPauseMs
    this.run(this.wanted, report)
    return done
  }

  /** When it returns, the program and all of its group are gone. */
  async stop(): Promise<void> {
    this.wanted += 1
    this.cancel()
    const { child } = this
    if (child === undefined) return
    signal(child, 'SIGTERM')
    const cancel = this.parts.clock.after(graceMs, () => {
      signal(child, 'SIGKILL')
    })
    await this.ended
    cancel()
    signal(child, 'SIGKILL') // What it started and left behind.
  }

  private run(round: number, report: Report): void {
    const { clock, program } = this.parts
    const startedMs = clock.monotonicMs()
    // The kernel ends it with the daemon: the next daemon starts its own, and two would contradict each other.
    const args = ['--pdeathsig', 'KILL', '--', program.path, ...program.args]
    const child = spawn('setpriv', args, {
      cwd: program.directory,
      detached: true,
      env: { ...process.env, ...program.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.child = child
    let remembered = ''
    child.stderr.on('data', (chunk: Buffer) => {
      remembered = (remembered + chunk.toString()).slice(-rememberedBytes)
    })
    this.ended = new Promise((resolve) => {
      let cancelGrace: Cancel = () => undefined
      const finish = (how: string): void => {
        if (this.child !== child) return
        this.child = undefined
        cancelGrace()
        child.stderr.destroy()
        resolve()
        if (round === this.wanted) this.again(round, report, { how, remembered, startedMs })
      }
      child.once('error', (error) => {
        finish(error.message)
      })
      child.once('exit', (code, by) => {
        const how = code === null ? `ended by ${by ?? 'a signal'}` : `ended with ${String(code)}`
        if (round !== this.wanted) {
          finish(how)
          return
        }
        // Its last words may still be in the pipe; a program that it left behind may hold that open for ever.
        cancelGrace = clock.after(lastWordsMs, () => {
          finish(how)
        })
        child.once('close', () => {
          finish(how)
        })
      })
    })
  }

  private again(
    round: number,
    report: Report,
    end: { readonly how: string; readonly remembered: string; readonly startedMs: number },
  ): void {
    const { clock, log, name } = this.parts
    if (clock.monotonicMs() - end.startedMs >= steadyMs) this.pauseMs = firstPauseMs
    const { pauseMs } = this
    this.pauseMs = Math.min(pauseMsMax, pauseMs * 2)
    const last = end.remembered.trim().split('\n').at(-1) ?? ''
    const why = last === '' ? end.how : `${end.how}: ${last.slice(0, 200)}`
    const cause = `its program ${why}; it is started again in ${String(pauseMs / 1_000)} s`
    log.write('warning', 'checkerProgramEnded', { text: `${name}: ${cause}`, name })
    report('unknown', cause)
    this.cancel = clock.after(pauseMs, () => {
      this.run(round, report)
    })
  }
}

function signal(child: ChildProcess, which: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, which)
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    if (code !== 'ESRCH') throw thrown // The whole group is gone already.
  }
}
